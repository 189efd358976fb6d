"""`crmlab dash`: Voilà with one app, preheated kernels, our own assets, and nothing else to be had from it."""

import gzip
import hashlib
import os
import socket
from pathlib import Path
from queue import Empty
from time import monotonic

from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_core.utils import run_sync
from tornado.web import HTTPError, RedirectHandler, RequestHandler
from traitlets.config import Config
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler

from crmlab.errors import InputError
from crmlab.views.plotly_view import plotly_js
from crmlab.views.words import LANGUAGE, word

VIEWS = Path(__file__).parent
DASHBOARDS = VIEWS.parents[1] / "dashboards"
NEEDED = ("/api/kernels", "/voila/static", "/voila/labextensions", "/voila/query", "/voila/api/shutdown")
TOLD = ("loading", "late", "closed", "again", "no_script", "broken")  # what the template says
SLICE = 0.5  # seconds; a lost wake-up costs at most this


def serve(mart: Path, port: int = 8866, host: str = "127.0.0.1", pool: int = 2) -> None:
    """Serve the app on a mart until it is interrupted.

    Parameters
    ----------
    mart
        The folder that `crmlab build` wrote. It may appear later: a page without a mart says so.
    port, host
        Where to listen; by default only this machine can reach it.
    pool
        How many kernels wait, warm, for the next viewers.

    Raises
    ------
    InputError
        When the port is taken or the dashboards folder is not beside the package.
    """
    if not (DASHBOARDS / "crmlab.ipynb").is_file():
        raise InputError(f"There is no {DASHBOARDS}. Run crmlab dash from a checkout of the repository.")
    _free(host, port)
    _environment(mart, host)
    AsyncZMQSocketChannel.get_msg = _get_msg
    server = Server.instance(config=_settings(host, port, pool), config_file_paths=[str(DASHBOARDS)])
    server.initialize([])
    print(f"crmlab is served on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    server.start()


class Server(Voila):
    """Voilà with our handlers before its own."""

    def init_handlers(self) -> list:
        """Our assets, what a page needs of Voilà's own list, the app at the root, and nothing else."""
        *theirs, (_, _, settings) = super().init_handlers()
        return [
            (r"/crmlab/(.*)", Asset, {"assets": assets()}),
            (r"/voila/render/([\w-]+)\.ipynb", RedirectHandler, {"url": "/?page={0}", "permanent": False}),
            *(handler for handler in theirs if handler[0].startswith(NEEDED)),
            (r"/", App, settings),
            (r"/.*", Nothing),
        ]

    def stop(self) -> None:
        """End the kernels at once: they hold nothing to save, and asked politely they would print where they were."""
        run_sync(self.kernel_manager.shutdown_all)(now=True)
        super().stop()


class App(TornadoVoilaHandler):
    """The app, with the cookie that lets a page end its kernel when it is closed."""

    async def get(self, path: str | None = None) -> None:
        """Send the page as it comes."""
        self.xsrf_token  # noqa: B018 - read to be set; without it every closed page leaves a kernel behind
        await super().get(path)


class Nothing(RequestHandler):
    """Sources, data and images are not served, nor is it told whether they exist."""

    def prepare(self) -> None:
        """Refuse whatever the method is."""
        raise HTTPError(404)


class Asset(RequestHandler):
    """A file that never changes under its name, sent compressed and kept by the browser."""

    def initialize(self, assets: dict[str, tuple[str, bytes]]) -> None:
        """Take the files by name."""
        self.assets = assets

    def get(self, name: str) -> None:
        """Send a file."""
        if name not in self.assets:
            raise HTTPError(404)
        mime, content = self.assets[name]
        self.set_header("Content-Type", f"{mime}; charset=utf-8")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
        else:
            content = gzip.decompress(content)
        self.write(content)


def assets() -> dict[str, tuple[str, bytes]]:
    """What a page loads from us, by a name that holds its hash: media type and compressed content."""
    style = (VIEWS / "app.css").read_bytes()
    files = {"plotly.js": ("text/javascript", _unwrapped(plotly_js().read_bytes())), "app.css": ("text/css", style)}
    found = {}
    for name, (mime, content) in files.items():
        stem, suffix = name.split(".")
        found[f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"] = mime, gzip.compress(content, 6)
    return found


def _unwrapped(script: bytes) -> bytes:
    """plotly.js without the module wrapper around it, inside of which a browser parses all of it twice."""
    start, end = script.find(b'"use strict";var Plotly='), script.rfind(b"return Plotly;")
    return script[start:end] if 0 <= start < end else script


def _settings(host: str, port: int, pool: int) -> Config:
    """What is known only now; everything else stands in ``dashboards/voila.json``."""
    given = {name.split("-")[0]: name for name in assets()}
    given["words"] = {"language": LANGUAGE} | {name: word(f"app.{name}") for name in ("name", *TOLD)}
    settings = {
        "Voila": {"ip": host, "port": port, "notebook_path": str(DASHBOARDS / "crmlab.ipynb"), "log_level": "ERROR"},
        "VoilaConfiguration": {"default_pool_size": pool, "resources": {"crmlab": given}},
    }
    if os.path.isdir("/tmp"):  # sockets that only their owner can open; a longer folder is too long for them
        settings["Voila"]["connection_dir_root"] = "/tmp"
        settings["KernelManager"] = {"transport": "ipc"}
    return Config(settings)


def _free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another: crmlab dash --port {port + 1}."
            ) from None


def _environment(mart: Path, host: str) -> None:
    """What the kernels inherit."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode each kernel compiles its imports again
    paths = [str(DASHBOARDS / "share"), os.environ.get("JUPYTER_PATH", "")]
    os.environ.update(
        CRMLAB_MART=str(Path(mart).resolve()),
        JUPYTER_PATH=os.pathsep.join(filter(None, paths)),
        VOILA_APP_IP="127.0.0.1" if host in ("", "0.0.0.0") else host,
    )


async def _get_msg(self: AsyncZMQSocketChannel, timeout: float | None = None) -> dict:
    """`AsyncZMQSocketChannel.get_msg` that looks again every slice.

    pyzmq's asyncio poller can miss a wake-up (voila #1428, jupyter_client #1059); asked for ever, it then hangs.
    """
    end = None if timeout is None else monotonic() + timeout
    while True:
        left = SLICE if end is None else min(SLICE, max(end - monotonic(), 0))
        if await self.socket.poll(int(left * 1000)):
            return await self._recv()
        if end is not None and monotonic() >= end:
            raise Empty
