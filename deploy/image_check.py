"""Building the image and running the whole pipeline in it, on this machine: `make image-check`.

With Docker it is the image itself, run as on Fargate: no rights, a read-only root file system, /scratch. Where there
is no Docker daemon but buildah, and one is root, the same Dockerfile is built on a lookalike of its base image, which
mmdebstrap makes of Debian's packages, and run in a chroot; that nothing but /scratch was written is looked at
afterwards. Where there is neither, the check is skipped.

The settings of the sources and of the warehouse come from the environment, as from `python -m sandbox run`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.image import ROOT
from deploy.programs import output, run

IMAGE = "plataforma-vendas:check"
COMMANDS = (["--help"], ["doctor"], ["run", "--build"])
USER = "10001"  # as in the Dockerfile


@dataclass(frozen=True)
class Docker:
    """A Docker daemon."""

    name: str = "docker"

    def build(self) -> None:
        """Builds the image."""
        run("docker", "build", "--tag", IMAGE, str(ROOT))

    def run(self, command: Sequence[str]) -> None:
        """Runs one command as Fargate would, but in this machine's network, where the sandbox is."""
        alike = ["--read-only", "--tmpfs", "/scratch", "--cap-drop", "ALL", "--network", "host"]
        named = [f"--env={name}" for name in settings()]  # docker takes the values from its own environment
        run("docker", "run", "--rm", *alike, *named, *files(), IMAGE, *command)

    def finish(self) -> None:
        """Removes the image; a root file system that is read-only needs no look."""
        run("docker", "image", "rm", "--force", IMAGE)


@dataclass(frozen=True)
class Buildah:
    """Buildah in chroot isolation, with its images in a folder of this project."""

    folder: Path = ROOT / ".local" / "image"
    name: str = "buildah, on a lookalike of the base image"

    def build(self) -> None:
        """Builds the image, and the lookalike of its base where that is not there yet."""
        (base,) = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
        if not self.buildah("images", "--quiet", "--filter", f"reference={base}"):
            self.make_base(base)
        # A proxy's certificates are this machine's, not the base image's.
        certificates = ["--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
        run(*self.command("bud"), "--isolation", "chroot", "--pull-never", *certificates, "--tag", IMAGE, str(ROOT))
        self.buildah("from", "--pull-never", "--name", "check", IMAGE)

    def make_base(self, name: str) -> None:
        """Makes Debian with Python under the name of the base image."""
        self.folder.mkdir(parents=True, exist_ok=True)
        packages = "--include=python3,python3-pip,python3-venv,ca-certificates"
        run("mmdebstrap", "--variant=minbase", packages, "bookworm", str(self.folder / "base.tar"))
        (self.folder / "Dockerfile").write_text(
            "FROM scratch\nADD base.tar /\nRUN ln --symbolic python3 /usr/bin/python\n"
        )
        run(*self.command("bud"), "--isolation", "chroot", "--tag", name, str(self.folder))
        (self.folder / "base.tar").unlink()

    def run(self, command: Sequence[str]) -> None:
        """Runs one command in the container, whose disk stays as it leaves it."""
        options = [
            "--isolation",
            "chroot",
            *(f"--env={name}={value}" for name, value in settings().items()),
            *files(),
        ]
        run(*self.command("run"), *options, "check", "--", "python", "-m", "extract", *command)

    def finish(self) -> None:
        """Removes the container and the image; the lookalike of its base stays for the next time.

        Raises:
            DeployError: naming what was written outside /scratch.
        """
        root = Path(self.buildah("mount", "check"))
        found = output(
            "find", str(root), "-xdev", "-path", str(root / "scratch"), "-prune", "-o", "-user", USER, "-print"
        )
        self.buildah("rm", "check")
        self.buildah("rmi", "--force", IMAGE)
        if found:
            raise DeployError(f"expected nothing written outside /scratch, found:\n{found}")

    def command(self, name: str) -> list[str]:
        """Returns the beginning of one of buildah's commands."""
        places = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        return ["buildah", "--storage-driver", "vfs", *places, name]

    def buildah(self, name: str, *options: str) -> str:
        """Returns what one of buildah's commands prints."""
        return output(*self.command(name), *options).strip()


Engine = Docker | Buildah


def settings() -> dict[str, str]:
    """Returns those of the environment's settings that the program in the image reads."""
    known = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return {n: v for n, v in os.environ.items() if n in known or n.startswith(("AWS_", "SSL_CERT_"))}


def files() -> list[str]:
    """Returns the options that show a container what the settings name on this machine's disk."""
    named = (settings().get(name, "") for name in ("PARQUET_DROP", "REDSHIFT_CA_BUNDLE"))
    local = [str(Path(file).absolute()) for file in named if file and "://" not in file]
    return [f"--volume={file}:{file}:ro" for file in local]


def engine() -> Engine | None:
    """Returns what there is to build and run images with on this machine."""
    if shutil.which("docker"):
        daemon = subprocess.run(["docker", "info"], capture_output=True, check=False)  # noqa: S607  on PATH
        if daemon.returncode == 0:
            return Docker()
    if shutil.which("buildah") and shutil.which("mmdebstrap") and os.geteuid() == 0:
        return Buildah()
    return None


def check(engine: Engine) -> None:
    """Builds the image and runs each of `COMMANDS` in it.

    Raises:
        DeployError: if one of them does not end with 0, or leaves what it should not.
    """
    engine.build()
    try:
        for command in COMMANDS:
            engine.run(command)
    finally:
        engine.finish()
