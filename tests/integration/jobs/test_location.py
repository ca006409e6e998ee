"""Which folders a request may name."""

import os
from pathlib import Path

import pytest

from app.errors import PathNotAFolder, PathOutsideVolumes, VolumeUnknown
from app.jobs.location import Location, locate


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with a folder, a link to it, a link out of it; and a folder beside the root."""
    (tmp_path / "root/inside/deep").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/file").touch()
    (tmp_path / "root/to_inside").symlink_to("inside")
    (tmp_path / "root/to_outside").symlink_to(tmp_path / "outside")
    (tmp_path / "root/to_itself").symlink_to("to_itself")
    (tmp_path / "root_beside").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("volume", "path", "found"),
    [
        ("v", "", ""),
        ("V", "inside", "inside"),
        ("v", "inside/deep/", "inside/deep"),
        ("v", "inside/../inside", "inside"),
        ("v", "to_inside/deep", "inside/deep"),
        ("v", "./inside//deep", "inside/deep"),
        (None, "{root}", ""),
        (None, "{root}/", ""),
        (None, "{root}/to_inside", "inside"),
        (None, "{root}/../root/inside", "inside"),
    ],
)
def test_a_folder_below_the_root_is_found(
    tree: Path, volume: str | None, path: str, found: str
) -> None:
    """By either way to name it, under the path that it really has."""
    root = tree / "root"
    location = locate({"v": root}, volume, path.format(root=root))
    assert location == Location("v", str(root), found)


@pytest.mark.parametrize(
    ("volume", "path"),
    [
        ("v", ".."),
        ("v", "../outside"),
        ("v", "inside/../../outside"),
        ("v", "/etc"),
        ("v", "to_outside"),
        ("v", "to_outside/nothing"),
        ("v", "to_outside/nothing/../.."),
        (None, "inside"),
        (None, "/"),
        (None, "/etc"),
        (None, "/nothing/that/exists"),
        (None, "{tree}/root_beside"),
        (None, "{tree}/root/../outside"),
        (None, "{tree}/root/to_outside"),
    ],
)
def test_nothing_leads_out_of_the_root(tree: Path, volume: str | None, path: str) -> None:
    """Neither `..` nor a symlink; and whether something exists outside is not told."""
    path = path.format(tree=tree)
    with pytest.raises(PathOutsideVolumes) as caught:
        locate({"v": tree / "root"}, volume, path)
    assert caught.value.render() == (
        f"ERROR [path-outside-volumes]  {path!r} is not below a volume; "
        f"configured: v={tree}/root\n"
        "  help: name a folder below one of them, or add one to VEGAFS_VOLUMES and restart the "
        "service"
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "No such file or directory"),
        ("file", "Not a directory"),
        ("file/below", "Not a directory"),
        ("to_itself", "Not a directory"),
        ("n" * 300, "File name too long"),
    ],
)
def test_what_is_not_a_folder_is_refused(tree: Path, path: str, reason: str) -> None:
    """With the system's own words for why."""
    with pytest.raises(PathNotAFolder) as caught:
        locate({"v": tree / "root"}, "v", path)
    assert caught.value.render() == (
        f"ERROR [path-not-a-folder]  {path!r} is not a folder that the service can read: "
        f"{reason}\n"
        "  help: name a folder that exists where the service runs and that its user may read"
    )


def test_a_folder_too_deep_for_the_catalogue_is_refused(tmp_path: Path) -> None:
    """The index on the jobs could not hold its path either."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(13):
        os.mkdir("d" * 200, dir_fd=descriptor)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    folders = ["d" * 200] * 13
    assert locate({"v": tmp_path}, "v", "/".join(folders[1:])).path == "/".join(folders[1:])
    with pytest.raises(PathNotAFolder) as caught:
        locate({"v": tmp_path}, "v", "/".join(folders))
    assert caught.value.reason == "its path is longer than 2600 bytes"


def test_a_volume_whose_root_is_gone_is_named(tree: Path) -> None:
    """A request for the whole volume has no path to name."""
    gone = tree / "gone"
    with pytest.raises(PathNotAFolder, match=f"'{gone}' is not a folder"):
        locate({"v": gone}, "v", "")


def test_an_unknown_volume_is_refused_with_those_there_are(tree: Path) -> None:
    """Volumes are what is configured, and nothing else."""
    with pytest.raises(VolumeUnknown) as caught:
        locate({"b": tree, "a": tree}, "c", "")
    assert caught.value.render() == (
        "ERROR [volume-unknown]  there is no volume 'c'; configured: a, b\n"
        "  help: name one of them, or add the folder to VEGAFS_VOLUMES and restart the service"
    )


def test_the_deepest_volume_holds_a_path(tree: Path) -> None:
    """One root may be below another."""
    volumes = {"all": tree, "inside": tree / "root/inside"}
    assert locate(volumes, None, f"{tree}/root/inside/deep").volume == "inside"
    assert locate(volumes, None, f"{tree}/root").volume == "all"


def test_a_root_may_be_a_symlink(tree: Path) -> None:
    """It is configured by who runs the service; paths are accepted below either name of it."""
    volumes = {"v": tree / "root/to_inside"}
    for path in ("root/to_inside/deep", "root/inside/deep"):
        assert locate(volumes, None, f"{tree}/{path}").path == "deep"


def test_a_folder_is_found_under_its_escaped_name(tree: Path) -> None:
    """The name that a listing gave it."""
    (tree / "root" / os.fsdecode(b"caf\xe9")).mkdir()
    assert locate({"v": tree / "root"}, "v", r"caf\xe9").path == r"caf\xe9"
