"""What a benchmark has set up, and how it goes away again.

A Stand is entered once by one thread.  Everything it starts is taken down when it is left, the
newest first: after success, after an exception, and after SIGINT, SIGTERM or SIGHUP, which the
stand turns into exceptions.  While it takes down it ignores those signals, since a clean-up that is
cut short leaves mounts behind.  The servers run in sessions of their own: a Ctrl-C that killed them
would leave the loop devices above them without an answer.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 10


class Unavailable(Exception):
    """This machine cannot measure that; the text says why."""


def wait_until(condition, patience_s=PATIENCE_S):
    """Whether `condition()` came true in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command(*words, cwd=None):
    """Runs a command and returns what it printed; Unavailable with its complaint when it fails."""
    words = [str(word) for word in words]
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, start_new_session=True)
    except FileNotFoundError:
        raise Unavailable(f"{words[0]} is not installed") from None
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Unavailable(f"{os.path.basename(words[0])}: {complaint[-1]}")
    return done.stdout.strip()


class Stand(contextlib.ExitStack):
    """A place to set things up in; `scratch` is a directory on it."""

    def __enter__(self):
        super().__enter__()
        self._held, self._pending = False, None
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="rnullfs-bench."))
        self.callback(self._remove_scratch)
        self._handlers = {number: signal.signal(number, self._interrupted) for number in SIGNALS}
        return self

    def __exit__(self, *exception):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            return super().__exit__(*exception)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def _interrupted(self, number, _frame):
        self._pending = number
        if not self._held:
            raise SystemExit(128 + number)

    @contextlib.contextmanager
    def whole(self):
        """Signals wait for the end of the block: what it starts is also noted for taking down."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self._pending:
                raise SystemExit(128 + self._pending)

    def _remove_scratch(self):
        # Never into a mount that could not be taken down.
        subprocess.run(["rm", "-rf", "--one-file-system", self.scratch], check=False)

    def directory(self, name):
        """A new, empty directory."""
        return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.scratch))

    def process(self, *words):
        """A process that is ended when the stand is left."""
        log = open(self.scratch / f"{words[0]}.log", "ab")  # the process's for as long as it lives
        with log, self.whole():
            process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, start_new_session=True)
            self.callback(end, process)
        return process

    def mount(self, directory, *words):
        """Mounts on `directory` with the command `words`."""
        with self.whole():
            self.callback(unmount, directory)  # first: the command may mount and fail all the same
            command(*words)

    def loop(self, path, direct):
        """A loop device on `path`, in the wanted mode for certain."""
        with self.whole():
            device = command("losetup", "--find", "--show",
                             f"--direct-io={'on' if direct else 'off'}", path)
            self.callback(detach, device)
        # The kernel falls back to the page cache without a word when O_DIRECT is refused.
        mode = pathlib.Path("/sys/block", os.path.basename(device), "loop/dio").read_text()
        if (mode.strip() == "1") != direct:
            raise Unavailable("the loop device does not take this mode on this file")
        return device


def end(process):
    """Ends a process, gently first."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def detach(device):
    with contextlib.suppress(Unavailable):
        command("losetup", "--detach", device)
    # The kernel detaches when the last user has closed, udev's probing included.
    backing = pathlib.Path("/sys/block", os.path.basename(device), "loop/backing_file")
    wait_until(lambda: not backing.exists())


def unmount(directory):
    """Unmounts `directory` if it is a mount point: a dead server's too, and if need be lazily."""
    def mounted():
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            return any(line.split()[4] == str(directory) for line in table)

    def unmounted():
        with contextlib.suppress(Unavailable):
            if mounted():
                command("umount", directory)
        return not mounted()

    # FUSE hears of the last close a moment later, so that the first try may find it busy.
    if not wait_until(unmounted):
        command("umount", "--lazy", directory)
