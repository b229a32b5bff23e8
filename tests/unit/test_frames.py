"""Reading: every supported kind against the array it was made from, every damage against one clear error."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile

from mili_core.errors import ImageError, MissingFileError
from pipeline.frames import discover, read_strips, stored, strip, tiff_reader, vips_reader
from pipeline.types import FrameRef

WIDTH, HEIGHT = 331, 217
FLAVOURS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"interlace": True},
    "full_chroma": {"subsample_mode": "off"},
}


def picture(bands: int = 3, dtype: type = np.uint8, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 200 / width, y * 200 / height, (x + y) * 100 / (width + height), 255 - x % 200, x % 50], -1)
    noisy = np.clip(smooth[..., :bands] + rng.integers(0, 9, (height, width, bands)), 0, 255)
    return (noisy * 257).astype(np.uint16) if dtype == np.uint16 else noisy.astype(np.uint8)


def vips_image(pixels: np.ndarray, interpretation: str = "srgb") -> pyvips.Image:
    height, width, bands = pixels.shape
    kind = "ushort" if pixels.dtype == np.uint16 else "uchar"
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels).tobytes(), width, height, bands, kind)
    return image.copy(interpretation=interpretation)


def tagged(image: pyvips.Image, **tags: int | str) -> pyvips.Image:
    image = image.copy()
    for name, value in tags.items():
        if isinstance(value, int):
            image.set_type(pyvips.GValue.gint_type, name, value)
        else:
            image.set_type(pyvips.GValue.gstr_type, f"exif-ifd2-{name}", value)
    return image


def ref_of(path: Path) -> FrameRef:
    return discover([str(path)])[0]


def read(path: Path) -> np.ndarray:
    """Assembles the frame from its strips and checks that they tile it."""
    ref = ref_of(path)
    frame = np.zeros((ref.height, ref.width, 3), dtype=np.uint8)
    seen = np.zeros((ref.height, ref.width), dtype=np.int64)
    for part in read_strips(ref):
        height, width, channels = part.pixels.shape
        assert channels == 3
        assert part.pixels.dtype == np.uint8
        assert part.pixels.flags.c_contiguous
        assert (part.x, width) == (0, ref.width) or (part.y, height) == (0, ref.height)
        frame[part.y : part.y + height, part.x : part.x + width] = part.pixels
        seen[part.y : part.y + height, part.x : part.x + width] += 1
    assert (seen == 1).all()
    return frame


@pytest.fixture(params=[2**14, strip.STRIP_BYTES], ids=["many strips", "one strip"])
def _strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strip, "STRIP_BYTES", request.param)
    monkeypatch.setattr(vips_reader, "FETCH_BYTES", 2**12)


# --- what is read, and as what --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_strips")
class TestPixels:
    def test_png(self, tmp_path: Path) -> None:
        pixels = picture()
        vips_image(pixels).pngsave(str(tmp_path / "a.png"))
        np.testing.assert_array_equal(read(tmp_path / "a.png"), pixels)

    def test_jpeg_is_what_the_decoder_gives_at_once(self, tmp_path: Path) -> None:
        for name, options in FLAVOURS.items():
            path = tmp_path / f"{name}.jpg"
            vips_image(picture()).jpegsave(str(path), Q=90, **options)
            np.testing.assert_array_equal(read(path), pyvips.Image.new_from_file(str(path)).numpy())
            assert np.abs(read(path).astype(int) - picture()).mean() < 6

    def test_interlaced_png(self, tmp_path: Path) -> None:
        vips_image(picture()).pngsave(str(tmp_path / "a.png"), interlace=True)
        np.testing.assert_array_equal(read(tmp_path / "a.png"), picture())

    def test_grey_is_repeated(self, tmp_path: Path) -> None:
        grey = picture(1)
        vips_image(grey, "b-w").pngsave(str(tmp_path / "a.png"))
        tifffile.imwrite(tmp_path / "a.tif", grey[..., 0], photometric="minisblack")
        tifffile.imwrite(tmp_path / "inverted.tif", 255 - grey[..., 0], photometric="miniswhite")
        for name in ("a.png", "a.tif", "inverted.tif"):
            np.testing.assert_array_equal(read(tmp_path / name), np.repeat(grey, 3, axis=2))

    def test_16_bit_keeps_the_high_byte(self, tmp_path: Path) -> None:
        deep = picture(3, np.uint16) - 3
        vips_image(deep, "rgb16").pngsave(str(tmp_path / "a.png"))
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", tile=(64, 64), compression="zlib", predictor=True)
        tifffile.imwrite(tmp_path / "big.tif", deep, photometric="rgb", byteorder=">")
        for name in ("a.png", "a.tif", "big.tif"):
            np.testing.assert_array_equal(read(tmp_path / name), deep >> 8)

    def test_alpha_goes_over_white(self, tmp_path: Path) -> None:
        pixels = picture(4)
        pixels[:, :100, 3], pixels[:, 100:200, 3] = 0, 255
        vips_image(pixels).pngsave(str(tmp_path / "a.png"))
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
        opacity = pixels[..., 3:].astype(float) / 255
        expected = pixels[..., :3] * opacity + 255 * (1 - opacity)
        for name in ("a.png", "a.tif"):
            found = read(tmp_path / name)
            np.testing.assert_allclose(found, expected, atol=1.0)
            assert (found[:, :100] == 255).all()
            np.testing.assert_array_equal(found[:, 100:200], pixels[:, 100:200, :3])

    def test_premultiplied_alpha_is_not_multiplied_again(self, tmp_path: Path) -> None:
        pixels = np.zeros((40, 50, 4), dtype=np.uint8)
        pixels[...] = [100, 50, 0, 128]
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
        np.testing.assert_array_equal(np.unique(read(tmp_path / "a.tif").reshape(-1, 3), axis=0), [[227, 177, 127]])

    def test_grey_with_alpha(self, tmp_path: Path) -> None:
        vips_image(np.full((20, 30, 2), [10, 0], dtype=np.uint8), "b-w").pngsave(str(tmp_path / "a.png"))
        assert (read(tmp_path / "a.png") == 255).all()

    def test_unspecified_extra_channel_is_dropped(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", picture(5), photometric="rgb", extrasamples=["unspecified"] * 2)
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), picture(5)[..., :3])

    def test_palette(self, tmp_path: Path) -> None:
        index = picture(1)[..., 0]
        lut = np.random.default_rng(1).integers(0, 2**16, (3, 256)).astype(np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", index, photometric="palette", colormap=lut)
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), (lut.T >> 8)[index])
        two = np.where(picture() > 100, 255, 0).astype(np.uint8)
        vips_image(two).pngsave(str(tmp_path / "a.png"), palette=True)
        np.testing.assert_array_equal(read(tmp_path / "a.png"), two)

    def test_icc_profile_is_converted_and_srgb_is_left_alone(self, tmp_path: Path) -> None:
        source = vips_image(picture())
        source.icc_transform("p3").pngsave(str(tmp_path / "p3.png"))
        stored_p3 = np.asarray(pyvips.Image.new_from_file(str(tmp_path / "p3.png")).numpy())
        assert np.abs(stored_p3.astype(int) - picture()).mean() > 3
        assert np.abs(read(tmp_path / "p3.png").astype(int) - picture()).mean() < 1
        profile = pyvips.Image.new_from_file(str(tmp_path / "p3.png")).get("icc-profile-data")
        tifffile.imwrite(tmp_path / "p3.tif", stored_p3, photometric="rgb", iccprofile=profile)
        np.testing.assert_array_equal(read(tmp_path / "p3.tif"), read(tmp_path / "p3.png"))
        source.icc_transform("srgb").pngsave(str(tmp_path / "srgb.png"))
        plain = np.asarray(pyvips.Image.new_from_file(str(tmp_path / "srgb.png")).numpy())
        np.testing.assert_array_equal(read(tmp_path / "srgb.png"), plain)

    def test_a_profile_that_does_not_fit_is_ignored(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb", iccprofile=b"no profile at all")
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), picture())

    def test_cmyk_with_and_without_profile(self, tmp_path: Path) -> None:
        colours = np.zeros((64, 96, 3), dtype=np.uint8)
        colours[:, :48], colours[:, 48:] = [230, 30, 40], [250, 250, 250]
        cmyk = vips_image(colours).icc_transform("cmyk")
        cmyk.jpegsave(str(tmp_path / "with.jpg"), Q=95)
        bare = cmyk.copy()
        bare.remove("icc-profile-data")
        bare.jpegsave(str(tmp_path / "without.jpg"), Q=95, keep="none")
        tifffile.imwrite(tmp_path / "a.tif", np.asarray(bare.numpy()), photometric="separated")
        for name in ("with.jpg", "without.jpg", "a.tif"):
            found = read(tmp_path / name)
            np.testing.assert_allclose(found[5, 5], [230, 30, 40], atol=20)
            np.testing.assert_allclose(found[5, 90], [250, 250, 250], atol=12)

    @pytest.mark.parametrize("compression", [None, "zlib", "adobe_deflate", "lzw", "zstd"])
    @pytest.mark.parametrize("layout", ["tiled", "strips", "low strips", "one strip"])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_lossless_tiff(self, tmp_path: Path, compression: str | None, layout: str, planar: str) -> None:
        pixels = picture()
        how: dict[str, Any] = {
            "tiled": {"tile": (64, 48)},
            "strips": {"rowsperstrip": 50},
            "low strips": {"rowsperstrip": 3},
        }
        data = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0)
        options = how.get(layout, {"rowsperstrip": HEIGHT})
        tifffile.imwrite(
            tmp_path / "a.tif",
            data,
            photometric="rgb",
            planarconfig=planar,
            compression=compression,
            bigtiff=layout == "strips",
            predictor=compression is not None and layout == "tiled",
            **options,
        )
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), pixels)

    @pytest.mark.parametrize("options", [{"tile": (64, 64)}, {"rowsperstrip": 32}])
    @pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
    def test_jpeg_tiff(self, tmp_path: Path, options: dict[str, Any], photometric: str) -> None:
        pixels = picture() if photometric == "rgb" else picture(1)[..., 0]
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, compression="jpeg", **options)
        expected = pixels if photometric == "rgb" else np.repeat(pixels[..., None], 3, axis=2)
        assert np.abs(read(tmp_path / "a.tif").astype(int) - expected).mean() < 6

    def test_first_page_of_several_is_the_frame(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
            tif.write(picture(), photometric="rgb", tile=(64, 64))
            tif.write(picture()[::2, ::2], photometric="rgb", tile=(64, 64))
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), picture())

    @pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
    @pytest.mark.parametrize("name", ["a.png", "a.tif"])
    def test_thin_frames(self, tmp_path: Path, name: str, size: tuple[int, int]) -> None:
        pixels = picture(height=size[0], width=size[1])
        if name.endswith("png"):
            vips_image(pixels).pngsave(str(tmp_path / name))
        else:
            tifffile.imwrite(tmp_path / name, pixels, photometric="rgb", tile=(16, 16))
        np.testing.assert_array_equal(read(tmp_path / name), pixels)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
    def test_exif_orientation(self, tmp_path: Path, name: str, orientation: int) -> None:
        path, pixels = tmp_path / name, picture()
        if name == "a.tif":
            tifffile.imwrite(path, pixels, photometric="rgb", tile=(32, 32), extratags=[(274, 3, 1, orientation, True)])
            twin = tagged(vips_image(pixels), orientation=orientation)
        else:
            tagged(vips_image(pixels), orientation=orientation).write_to_file(str(path))
            twin = pyvips.Image.new_from_file(str(path))
        expected = np.asarray(twin.autorot().numpy())
        ref = ref_of(path)
        assert (ref.width, ref.height) == ((HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT))
        np.testing.assert_array_equal(read(path), expected)

    @pytest.mark.parametrize("orientation", [0, 9, 300])
    def test_unknown_orientation_is_upright(self, tmp_path: Path, orientation: int) -> None:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, picture(), photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
        np.testing.assert_array_equal(read(path), picture())


# --- focal length ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, None),
        ({"FocalLengthIn35mmFilm": "50"}, 50 * np.hypot(600, 400) / np.hypot(36, 24)),
        ({"FocalLength": "35/1"}, None),
        ({"FocalLength": "35/1", "FocalPlaneXResolution": "2540/1"}, 35 * 100.0),
        (
            {"FocalLength": "35/1", "FocalPlaneXResolution": "1000/2", "FocalPlaneResolutionUnit": "3"},
            35 * 50.0,
        ),
        ({"FocalLength": "0/1", "FocalPlaneXResolution": "2540/1"}, None),
        ({"FocalLengthIn35mmFilm": "0"}, None),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_focal_length_from_exif(tmp_path: Path, tags: dict[str, str], expected: float | None, orientation: int) -> None:
    image = tagged(vips_image(np.zeros((400, 600, 3), dtype=np.uint8)), orientation=orientation, **tags)
    image.jpegsave(str(tmp_path / "a.jpg"))
    found = ref_of(tmp_path / "a.jpg").focal_px
    assert found == (None if expected is None else pytest.approx(expected))


def test_focal_plane_resolution_counts_in_the_cameras_own_width() -> None:
    tags = stored.FocalTags(focal_mm=10.0, plane_resolution=254.0, plane_unit=2, pixel_width=1000)
    assert stored.focal_px(tags, 1000, 10) == pytest.approx(100.0)
    assert stored.focal_px(tags, 500, 10) == pytest.approx(50.0)


def test_focal_length_from_a_tiffs_exif_numbers() -> None:
    numbers = [tiff_reader._number(value) for value in (50, (35, 2), (1, 0), "x", None, 0)]
    assert numbers == [50.0, 17.5, None, None, None, None]


# --- what is refused ------------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    """Reads the whole file and gives the one-line ImageError, which must name it."""
    with pytest.raises(ImageError) as caught:
        for _ in read_strips(ref_of(path)):
            pass
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def whole(kind: str, tmp_path: Path) -> bytes:
    path = tmp_path / f"whole.{kind.rsplit(maxsplit=1)[-1]}"
    match kind:
        case "jpg" | "progressive jpg":
            vips_image(picture()).jpegsave(str(path), interlace=kind != "jpg")
        case "png" | "interlaced png":
            vips_image(picture()).pngsave(str(path), interlace=kind != "png")
        case _:
            compression = kind.split(maxsplit=1)[0]
            tifffile.imwrite(
                path,
                picture(),
                photometric="rgb",
                compression=None if compression == "raw" else compression,
                tile=(64, 64) if "tiled" in kind else None,
                rowsperstrip=None if "tiled" in kind else 16,
            )
    return path.read_bytes()


KINDS = [
    "jpg",
    "progressive jpg",
    "png",
    "interlaced png",
    *[f"{c} {layout} tif" for c in ("raw", "zlib", "lzw", "zstd", "jpeg") for layout in ("tiled", "striped")],
]


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_anywhere_is_an_error_that_names_the_file(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = whole(kind, tmp_path)
    for fraction in (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
        path = tmp_path / f"cut_{fraction}"
        path.write_bytes(data[: int(len(data) * fraction)])
        refusal(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["jpg", "progressive jpg"])
def test_jpeg_without_its_last_bytes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cut"
    path.write_bytes(whole(kind, tmp_path)[:-2])
    assert "truncated or damaged near row" in refusal(path)


@pytest.mark.parametrize("kind", ["png", "zlib tiled tif", "zlib striped tif"])
def test_flipped_bits_under_a_checksum(tmp_path: Path, kind: str) -> None:
    data = bytearray(whole(kind, tmp_path))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "flipped").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "flipped")


def test_jpeg_tile_cut_inside_the_tiff(tmp_path: Path) -> None:
    data = bytearray(whole("jpeg tiled tif", tmp_path))
    with tifffile.TiffFile(tmp_path / "whole.tif") as tif:
        end = tif.pages.first.dataoffsets[3] + tif.pages.first.databytecounts[3]
    data[end - 40 : end] = bytes(40)
    (tmp_path / "a.tif").write_bytes(data)
    assert "JPEG segment 3 of the TIFF is truncated" in refusal(tmp_path / "a.tif")


def test_sparse_tiff_is_no_black_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture(), photometric="rgb", tile=(64, 64))
    with tifffile.TiffFile(path, mode="r+") as tif:
        counts = list(tif.pages.first.databytecounts)
        tif.pages.first.tags[325].overwrite([0, *counts[1:]])
    assert "segment 0 is empty" in refusal(path)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("zero.jpg", b"", "the file is empty"),
        ("text.jpg", b"not a picture at all", "not a JPEG, PNG or TIFF"),
        ("web.png", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "not a JPEG, PNG or TIFF"),
        ("magic.jpg", b"\xff\xd8\xff", "cannot be read|damaged"),
        ("magic.png", b"\x89PNG\r\n\x1a\n", "cannot be read|damaged"),
        ("magic.tif", b"II*\0", "damaged"),
        ("loop.tif", b"II*\0\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00", "damaged"),
    ],
)
def test_no_picture(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=reason):
        ref_of(tmp_path / name)
    refusal(tmp_path / name)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "size", [(0, 10), (10, 0), (2**31 - 1, 2**31 - 1), (2**20 + 1, 1), (70_000, 70_000), (2**31, 1)]
)
def test_absurd_png_header(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png_header(*size))
    refusal(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (2**32 - 1, 2**32 - 1), (70_000, 70_000)])
def test_absurd_tiff_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture(), photometric="rgb", tile=(64, 64))
    with tifffile.TiffFile(path, mode="r+") as tif:
        for tag, value in zip((256, 257), size, strict=True):
            tif.pages.first.tags[tag].overwrite(value, dtype="I")
    refusal(path)


def test_zero_size_jpeg_header(tmp_path: Path) -> None:
    data = bytearray(whole("jpg", tmp_path))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 2] = b"\0\0"
    (tmp_path / "a.jpg").write_bytes(data)
    refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("compression", ["lzma", "jpeg2000", "packbits", "webp"])
def test_unsupported_tiff_compression_is_named(tmp_path: Path, compression: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb", compression=compression, tile=(64, 64))
    message = refusal(tmp_path / "a.tif")
    assert compression[:4].upper() in message.upper()
    assert "none, LZW, JPEG, deflate, zstd" in message


def test_other_sample_types_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "float.tif", picture().astype(np.float32), photometric="rgb")
    tifffile.imwrite(tmp_path / "signed.tif", picture().astype(np.int16), photometric="rgb")
    tifffile.imwrite(tmp_path / "bits.tif", picture(1)[..., 0] > 100, photometric="minisblack")
    for name in ("float.tif", "signed.tif", "bits.tif"):
        assert "8 or 16 unsigned bits" in refusal(tmp_path / name)


def test_whole_picture_decoders_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = WIDTH * HEIGHT
    needs = {"420.jpg": 3 * pixels, "444.jpg": 6 * pixels, "a.png": 3 * pixels, "a.tif": 3 * pixels}
    vips_image(picture()).jpegsave(str(tmp_path / "420.jpg"), interlace=True, Q=75)
    vips_image(picture()).jpegsave(str(tmp_path / "444.jpg"), interlace=True, subsample_mode="off")
    vips_image(picture()).pngsave(str(tmp_path / "a.png"), interlace=True)
    tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb", compression="zlib", rowsperstrip=HEIGHT)
    for name, needed in needs.items():
        monkeypatch.setattr(stored, "WHOLE_DECODE_BYTES", needed)
        read(tmp_path / name)
        monkeypatch.setattr(stored, "WHOLE_DECODE_BYTES", needed - 1)
        message = refusal(tmp_path / name)
        assert f"needs {needed} bytes" in message
        assert "save it" in message


def test_what_is_read_in_pieces_is_not_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "WHOLE_DECODE_BYTES", WIDTH * 3 * 64)
    vips_image(picture()).jpegsave(str(tmp_path / "a.jpg"))
    vips_image(picture()).pngsave(str(tmp_path / "a.png"))
    tifffile.imwrite(tmp_path / "raw.tif", picture(), photometric="rgb", rowsperstrip=HEIGHT)
    tifffile.imwrite(tmp_path / "tiles.tif", picture(), photometric="rgb", compression="zlib", tile=(64, 64))
    for name in ("a.jpg", "a.png", "raw.tif", "tiles.tif"):
        assert read(tmp_path / name).shape == (HEIGHT, WIDTH, 3)


def test_a_file_that_changed_since_it_was_listed(tmp_path: Path) -> None:
    vips_image(picture()).pngsave(str(tmp_path / "a.png"))
    ref = ref_of(tmp_path / "a.png")
    vips_image(picture(height=100)).pngsave(str(tmp_path / "a.png"))
    with pytest.raises(ImageError, match="was 331x217 when it was listed"):
        next(read_strips(ref))
    (tmp_path / "a.png").unlink()
    with pytest.raises(MissingFileError, match=r"a\.png"):
        next(read_strips(ref))


@pytest.mark.parametrize("kind", KINDS)
def test_random_damage_is_a_picture_or_an_image_error(tmp_path: Path, kind: str) -> None:
    data, rng = whole(kind, tmp_path), np.random.default_rng(3)
    for trial in range(12):
        damaged = bytearray(data)
        # Half of the trials hit the header, where sizes and offsets lie.
        for position in rng.integers(0, 600 if trial % 2 else len(data), size=4):
            damaged[position] = rng.integers(256)
        path = tmp_path / f"damaged_{trial}"
        path.write_bytes(damaged)
        try:
            for _ in read_strips(ref_of(path)):
                pass
        except ImageError as error:
            assert str(path) in str(error)  # noqa: PT017 - an undamaged reading is fine too
