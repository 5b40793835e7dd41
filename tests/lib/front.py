"""Web servers before a rig: nginx and Apache, each with the configuration that
is shipped in etc/, on a free loopback port, stopped by pid."""
import os
import re
import signal
import socket
import subprocess
import time

SOURCE = os.environ.get("SB_SOURCE") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))


def free_port():
    """A port nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Front:
    """A web server for the sockets of ${rig}.  ${edit}(text) may change its
    configuration before it is used."""

    name = template = None
    graceful = signal.SIGTERM

    def __init__(self, rig, port=None, edit=None):
        self.rig, self.port = rig, port or free_port()
        self.conf = rig.path("etc", f"{self.name}-{self.port}.conf")
        self.edit = edit
        self.start()

    def values(self):
        rig, root = self.rig, os.geteuid() == 0
        return {"LISTEN": f"127.0.0.1:{self.port}",
                "RUN_DIR": rig.path("run"), "LOG_DIR": rig.path("log"),
                "TMP_DIR": rig.path("tmp"), "STATIC_DIR": rig.path("static"),
                "MODULES_DIR": "/usr/lib/apache2/modules",
                "USER_LINE": self.user_line() if root else ""}

    def start(self):
        with open(os.path.join(SOURCE, "etc", self.template)) as f:
            text = f.read()
        values = self.values()
        text = re.sub(r"@([A-Z_]+)@",
                      lambda m: values.get(m.group(1), m.group(0)), text)
        text = text.replace(f"/{self.name}.pid", f"/{self.name}-{self.port}.pid")
        if self.edit is not None:
            text = self.edit(text)
        with open(self.conf, "w") as f:
            f.write(text)
        with open(self.rig.path("log", f"{self.name}-stderr.log"),
                  "ab") as log:
            self.child = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log, cwd=self.rig.dir)
        end = time.monotonic() + 10
        while not self.listens():
            if time.monotonic() > end or self.child.poll() is not None:
                with open(self.rig.path("log",
                                        f"{self.name}-stderr.log")) as f:
                    raise AssertionError(
                        f"{self.name} does not listen: {f.read()[-2000:]}")
            time.sleep(0.02)

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self, how=None, seconds=15):
        if self.child.poll() is None:
            self.child.send_signal(how or self.graceful)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


class Nginx(Front):
    name, template = "nginx", os.path.join("nginx", "nginx.conf.in")
    graceful = signal.SIGQUIT

    def user_line(self):
        return f"user {self.rig.user.pw_name};"

    def command(self):
        return ["nginx", "-p", self.rig.dir, "-c", self.conf, "-g",
                "daemon off;", "-e",
                self.rig.path("log", "nginx-error.log")]


class Apache(Front):
    name, template = "apache", os.path.join("apache", "apache.conf.in")

    def user_line(self):
        return (f"User {self.rig.user.pw_name}\n"
                f"Group #{self.rig.user.pw_gid}")

    def command(self):
        return ["/usr/sbin/apache2", "-D", "FOREGROUND", "-d", self.rig.dir,
                "-f", self.conf]


FRONTS = {"nginx": Nginx, "apache": Apache}
