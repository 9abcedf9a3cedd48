"""Builds the image and runs the whole pipeline in it, on this machine: `make image-check`.

With Docker, the image runs as on Fargate: without capabilities, on a read-only root file system, with /scratch.
Without a Docker daemon, but with buildah and as root, the same Dockerfile is built on a substitute of its base image,
which mmdebstrap makes from Debian's packages, and runs in a chroot; afterwards the check looks for files that were
written outside /scratch. With neither, the check is skipped.

The settings of the sources and the warehouse come from the environment, as `python -m sandbox run` sets it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # Python has put this script's own folder there

from extract.declarations import read_declarations  # noqa: E402
from extract.settings import settings_of  # noqa: E402

IMAGE = "plataforma-vendas:check"
COMMANDS = (["--help"], ["doctor"], ["run", "--build"])
USER = "10001"  # as in the Dockerfile


class CheckError(Exception):
    """A command failed, or the image did something that it must not do."""


@dataclass(frozen=True)
class Docker:
    """A Docker daemon."""

    name: str = "docker"

    def build(self) -> None:
        """Builds the image."""
        run("docker", "build", "--tag", IMAGE, str(ROOT))

    def run(self, command: Sequence[str]) -> None:
        """Runs one command as Fargate does, but in the network of this machine, where the sandbox is."""
        as_on_fargate = ["--read-only", "--tmpfs", "/scratch", "--cap-drop", "ALL", "--network", "host"]
        names = [f"--env={name}" for name in settings()]  # docker reads the values from its own environment
        run("docker", "run", "--rm", *as_on_fargate, *names, *volumes(), IMAGE, *command)

    def clean_up(self) -> None:
        """Removes the image."""
        run("docker", "image", "rm", "--force", IMAGE)


@dataclass(frozen=True)
class Buildah:
    """Buildah in chroot isolation, with its images in a folder of this project."""

    folder: Path = ROOT / ".local" / "image"
    name: str = "buildah, on a substitute of the base image"

    def build(self) -> None:
        """Builds the image, and first the substitute of its base image if it does not exist."""
        (base,) = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
        if not output(*self.command("images"), "--quiet", "--filter", f"reference={base}").strip():
            self.build_base(base)
        # The certificates of a proxy are on this machine, not in the base image.
        certificates = ["--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
        run(*self.command("bud"), "--isolation", "chroot", "--pull-never", *certificates, "--tag", IMAGE, str(ROOT))
        run(*self.command("from"), "--pull-never", "--name", "check", IMAGE)

    def build_base(self, name: str) -> None:
        """Builds the same release of Debian, with its own Python, under the name of the base image."""
        self.folder.mkdir(parents=True, exist_ok=True)
        packages = "--include=python3,python3-pip,python3-venv,ca-certificates"
        run("mmdebstrap", "--variant=minbase", packages, name.rsplit("-", 1)[1], str(self.folder / "base.tar"))
        (self.folder / "Dockerfile").write_text(
            "FROM scratch\nADD base.tar /\nRUN ln --symbolic python3 /usr/bin/python\n"
        )
        run(*self.command("bud"), "--isolation", "chroot", "--tag", name, str(self.folder))
        (self.folder / "base.tar").unlink()

    def run(self, command: Sequence[str]) -> None:
        """Runs one command in the container, which keeps what the command writes."""
        environment = [f"--env={name}={value}" for name, value in settings().items()]
        options = ["--isolation", "chroot", *environment, *volumes()]
        run(*self.command("run"), *options, "check", "--", "python", "-m", "extract", *command)

    def clean_up(self) -> None:
        """Removes the container and the image; the substitute of the base image stays for the next check.

        Raises:
            CheckError: files were written outside /scratch.
        """
        root = Path(output(*self.command("mount"), "check").strip())
        outside_scratch = ["-xdev", "-path", str(root / "scratch"), "-prune", "-o", "-user", USER, "-print"]
        found = output("find", str(root), *outside_scratch)
        run(*self.command("rm"), "check")
        run(*self.command("rmi"), "--force", IMAGE)
        if found:
            raise CheckError(f"expected no file outside /scratch to be written, found:\n{found}")

    def command(self, name: str) -> list[str]:
        """Returns the first words of one of buildah's commands."""
        folders = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        return ["buildah", "--storage-driver", "vfs", *folders, name]


Engine = Docker | Buildah


def find_engine() -> Engine | None:
    """Returns what can build and run images on this machine, if anything can."""
    if shutil.which("docker"):
        daemon = subprocess.run(["docker", "info"], capture_output=True, check=False)  # noqa: S607  on PATH
        if daemon.returncode == 0:
            return Docker()
    if shutil.which("buildah") and shutil.which("mmdebstrap") and os.geteuid() == 0:
        return Buildah()
    return None


def settings() -> dict[str, str]:
    """Returns the environment's settings that the program in the image reads."""
    known = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    sources = read_declarations(ROOT).sources
    known += [f"{source.settings}_{setting.name}" for source in sources for setting in settings_of(source)]
    return {n: v for n, v in os.environ.items() if n in known or n.startswith(("AWS_", "SSL_CERT_"))}


def volumes() -> list[str]:
    """Returns the options that mount the local files and folders that the settings name."""
    paths = [value for name, value in settings().items() if name.endswith(("_DROP", "_CA_BUNDLE"))]
    local = [str(Path(path).absolute()) for path in paths if path and "://" not in path]
    return [f"--volume={path}:{path}:ro" for path in local]


def run(*command: str) -> None:
    """Runs a command on the terminal.

    Raises:
        CheckError: its exit code is not 0.
    """
    done = subprocess.run(command, check=False)  # noqa: S603  the commands of this script
    if done.returncode != 0:
        raise CheckError(f"{' '.join(command[:3])} … failed with exit code {done.returncode}")


def output(*command: str) -> str:
    """Returns the standard output of a command.

    Raises:
        CheckError: its exit code is not 0.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  as above
    if done.returncode != 0:
        raise CheckError(f"{' '.join(command[:3])} … failed with exit code {done.returncode}")
    return done.stdout


def main() -> int:
    """Runs the check; returns 0 if it succeeded or was skipped, else 1."""
    engine = find_engine()
    if engine is None:
        sys.stdout.write("skipped: needs a Docker daemon, or buildah and mmdebstrap as root\n")
        return 0
    sys.stdout.write(f"with {engine.name}\n")
    sys.stdout.flush()
    try:
        engine.build()
        try:
            for command in COMMANDS:
                engine.run(command)
        finally:
            engine.clean_up()
    except CheckError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write("the image was built, and the pipeline succeeded in it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
