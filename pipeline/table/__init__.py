"""The people table: chosen views as Arrow rows, and GeoParquet 1.1 files of one frame each.

table = people_table(frame, views, merge, blocks, derived, run)
path = write_people(table, frame, out)     # OUT/people/scene_id=…/frame_id=…/part-0.parquet
table = read_people(out)                   # all frames; ids keep their types ("01" stays a string)

`rows` puts the columns together: boxes and views its own, those of outlines from `silhouettes`, those of the body
head from `body_columns`; `files` writes and reads; `identity` is what all rows of a run are marked with.
"""

from pipeline.table.files import read_people, write_people
from pipeline.table.identity import RunIdentity
from pipeline.table.rows import people_table

__all__ = ["RunIdentity", "people_table", "read_people", "write_people"]
