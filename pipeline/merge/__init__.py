"""Views of people from many blocks and scales in, people of one scene out.

The way of a view: `views` (checked, in canonical order, cut sides) -> `pairs` (which are worth comparing) ->
`similarity` and `joints` (same person?) -> `linking` (groups) -> `explain` (left-over parts, and boxes that most blocks
contradict) -> `choice` and `settle` (the view that stands for each person) -> `stitch` (people whom no block saw
whole). `scene.merge` walks it; `foreign` takes in what other models report, `unreadable`
carries rows that are no numbers, and `alike` keeps thousands of equal boxes from being compared with each other.
"""

from pipeline.merge.config import MergeConfig
from pipeline.merge.foreign import views_of_blocks
from pipeline.merge.scene import merge

__all__ = ["MergeConfig", "merge", "views_of_blocks"]
