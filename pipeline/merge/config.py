"""The constants of the merge, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from mili_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class MergeConfig:
    """What decides whether two views are one person and which view stands for a person.

    Network px are pixels of the model's canvas: a block at scale s shows 1/s frame px as one network px. Shares are
    of 0..1. A threshold admits its own value (>=).

    Attributes:
        cut_margin_px: network px; a side this near to an inner edge of its block is cut. Box heads are right to
            about two pixels, so a whole person nearer than that cannot be told from a cut one.
        cut_margin_share: the same as a share of the box's side, because the error of a box grows with the box: two
            standard deviations of 4 %. Too wide does little harm, since a whole view taken for a cut one still
            stands for a person whom no block saw better; too narrow lets parts stand for people.
        near_margin_px: network px; a whole view nearer than this to an inner edge of its block may still be a cut
            one that was drawn too small, so a left-over one is explained away like a cut one.
        near_margin_share: the same as a share of the box's side.
        witness_margin_share: share of a view's side by which it must reach beyond another block's window (at least
            cut_margin_px of its own) to say that the other block saw only a part: two typical errors of a box.
        min_evidence_px: network px; the longer side, in the coarser block, that both views must show inside the
            area both blocks saw. Thinner strips look alike for everyone.
        blur_px: network px of the coarser block; sides of two views that differ by no more may be the same side.
            Half of a pair's similarity is the IoU under this allowance, or small people would never match.
        blur_share: the same as a share of the smaller view's longer side, at most.
        contained: share of a cut fragment that must lie inside the other view: what is left after two boxes of
            typical error (5 % a side).
        opposite_px: network px of the coarser block; how far apart the sides opposite a cut may be, one and a half
            pixels for each of two boxes.
        opposite_share: the same as a share of the larger box's longer side, one typical error.
        fragment_similarity: similarity of a fragment that fits perfectly: below a whole view that matches well
            (about .8), so that whole views are linked first, and above the link threshold.
        fragment_offset_weight: how much a fragment loses for lying off the other's middle by a full width.
        link_similarity: similarity from which two views are one person: half the common area, as in the detection
            metrics. Neighbours who overlap more are told apart by the blocks that report both.
        outline_weight: share of the outline in the similarity of ambiguous pairs. Silhouettes of neighbours overlap
            far less than their boxes, and small errors of a silhouette cost it more than they cost a box.
        outline_below: a pair whose boxes agree better than this is never ambiguous.
        rival_similarity: a pair is ambiguous when its similarity lies between this and the mirror image of this at
            the link threshold, or when one of its views has a rival partner in the same block.
        rival_gap: a partner is a rival if its similarity differs by no more than this; errors of a box move a
            similarity by about half as much.
        evidence_floor: factor of the linking order at no evidence; more evidence raises it to 1, so that of two
            equally similar pairs the one seen on more pixels is linked first.
        evidence_scale_px: network px; the factor grows by one in this many pixels.
        agreement_tie_weight: what joints and depth may add to or take from the linking order of a contested pair (half
            of it either way): enough to order rivals that are nearly equally similar, never to link or part anyone.
        thin_agreement: agreement of joints and depth from which two cut views are one person although the area that
            both blocks saw is too thin to compare their boxes.
        thin_disagreement: agreement below which they are two, whatever the strip says: bodies more than two typical
            errors apart. Between the two the boxes decide.
        band_low_px: network px; people from here on are seen well.
        band_high_px: network px; up to here they leave room for context in a canvas 512 high.
        detail_px: network px; a view this tall is told from those beside it as well as it ever is, and the pixel or
            two by which any box errs are a hundredth of it.
        detail_weight: how much is lost by being shown less tall than that, in proportion. It outweighs what the score
            says, and is outweighed by the band.
        coarse_px: network px; half of where people are seen well. A whole view lower than this errs by more than the
            box united from finer parts, where these show all of the person.
        score_weight: share of the detector's score in the choice of a view; small, since scores of one person at
            different scales say more about the scale than about the box.
        clearance_weight: share of the distance to the block's inner edges; a box that ends just before an edge may
            be a cut one that was drawn too small.
        clearance_share: distance, as a share of the box's side, from which a side is safe from that.
        agreement_weight: share of the mean similarity to the other whole views of the person: the middle one of
            several noisy boxes is the best.
        shard_views: views; scenes of more are compared strip by strip, this many at a time, with the same result. A
            strip's pairs take some 200 bytes a view, ten pairs each: under 1 GB.
        explain_inside: share of a left-over fragment that must lie in whole people for it to be a part of them.
        explain_margin_share: share of its side by which the larger person's box is widened for that, an error of
            the box.
        sliver_px: network px; a person seen by nothing but strips cut off thinner than this is no person: the
            block's neighbour shows more of whoever stands there.
        explain_px: network px; a block that showed the fragment's place at this size would have reported a person
            there.
        explain_within: share of a fragment that must lie in a person seen whole beyond doubt to be judged by
            explain_within_px: nothing of it then speaks for anybody else.
        explain_within_px: network px; the same as explain_px for such a fragment: where a detector reports half of
            those who are there, and the fragment is a piece of somebody far more often than not.
        explain_whole_px: network px; the same for a left-over that no edge cuts, which may well be a small person
            in front of a large one: here a block must have seen the place well.
        explain_whole_inside: share of such a left-over that must lie in the larger person. Who looked closer knows
            better: where a block that reports it is large enough to show all of the larger person, one that shows
            the place less large counts in proportion.
        doubt_shown: share of a box that a block must show to have a say about it: with half of a person in view, a
            detector reports them.
        doubt_least_share: share of a box's area from which a person inside it may be what the box really shows;
            smaller ones stand in front of somebody.
        doubt_most_share: the same at most; larger ones are the same person, drawn a little smaller.
        doubt_share: doubts a belief that are needed. With less than 1 a few blocks that missed a person undo those
            that saw them whole.
    """

    cut_margin_px: float = 2.5
    cut_margin_share: float = 0.08
    near_margin_px: float = 4.0
    near_margin_share: float = 0.1
    witness_margin_share: float = 0.1
    min_evidence_px: float = 4.0
    blur_px: float = 1.5
    blur_share: float = 0.1
    contained: float = 0.65
    opposite_px: float = 3.0
    opposite_share: float = 0.08
    fragment_similarity: float = 0.7
    fragment_offset_weight: float = 0.3
    link_similarity: float = 0.5
    outline_weight: float = 0.75
    outline_below: float = 0.97
    rival_similarity: float = 0.4
    rival_gap: float = 0.1
    evidence_floor: float = 0.7
    evidence_scale_px: float = 200.0
    agreement_tie_weight: float = 0.1
    thin_agreement: float = 0.6
    thin_disagreement: float = 0.1
    band_low_px: float = 64.0
    band_high_px: float = 400.0
    detail_px: float = 200.0
    detail_weight: float = 0.5
    coarse_px: float = 32.0
    score_weight: float = 0.25
    clearance_weight: float = 0.5
    clearance_share: float = 0.1
    agreement_weight: float = 0.5
    sliver_px: float = 4.0
    shard_views: int = 200_000
    explain_inside: float = 0.7
    explain_margin_share: float = 0.1
    explain_px: float = 24.0
    explain_within: float = 0.97
    explain_within_px: float = 8.0
    explain_whole_px: float = 32.0
    explain_whole_inside: float = 0.85
    doubt_shown: float = 0.5
    doubt_least_share: float = 0.05
    doubt_most_share: float = 0.75
    doubt_share: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value < math.inf:
                raise ConfigError(f"MergeConfig.{field.name} is {value}, expected a number >= 0")
        for name in (
            "contained",
            "link_similarity",
            "outline_weight",
            "explain_inside",
            "explain_within",
            "explain_whole_inside",
        ):
            value = getattr(self, name)
            if not 0.0 < value <= 1.0:
                raise ConfigError(f"MergeConfig.{name} is {value}, expected 0 < {name} <= 1")
        if self.shard_views < 1 or self.shard_views != int(self.shard_views):
            raise ConfigError(f"MergeConfig.shard_views is {self.shard_views}, expected a whole number of at least 1")
        for name in ("detail_px", "clearance_share", "evidence_scale_px"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"MergeConfig.{name} is {getattr(self, name)}, expected a number > 0")
        if not 0.0 < self.band_low_px <= self.band_high_px:
            raise ConfigError(
                f"MergeConfig: the band {self.band_low_px}..{self.band_high_px} px is empty, expected 0 < low <= high"
            )
