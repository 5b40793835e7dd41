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
    """A web server for the sockets of ${rig}.  ${edit}(front, text) may
    change its configuration before it is used."""

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

    def fill(self, template, **more):
        """A file of etc/ with its names replaced."""
        with open(os.path.join(SOURCE, "etc", template)) as f:
            text = f.read()
        values = dict(self.values(), **more)
        return re.sub(r"@([A-Z_]+)@",
                      lambda m: values.get(m.group(1), m.group(0)), text)

    def add_tls(self, text, certificate, key):
        """${text} and the shipped virtual host with TLS, named localhost, on
        a port of its own; self.plain_port leads there."""
        self.tls_port, self.plain_port = free_port(), free_port()
        site = self.conf + ".site"
        with open(site, "w") as f:
            f.write(text.split("# BEGIN site")[1].split("# END site")[0])
        tls = self.fill(os.path.join(self.name, "tls.conf.in"),
                        NAME="localhost", SITE=site, KEY=key,
                        LISTEN=f"127.0.0.1:{self.plain_port}",
                        LISTEN_TLS=f"127.0.0.1:{self.tls_port}",
                        CERTIFICATE=certificate)
        return self.with_tls(text, tls)

    def add_sign_on(self, text, **values):
        """${text} with the shipped example of sign-on by the web server."""
        more = self.fill(os.path.join(self.name, "front-sso.conf.in"),
                         **values)
        return self.with_modules(text, "authn_core", "authz_user",
                                 "auth_openidc").replace(
            "# END site", more + "\n# END site")

    def with_modules(self, text, *names):
        return text

    def start(self):
        text = self.fill(self.template)
        text = text.replace(f"/{self.name}.pid", f"/{self.name}-{self.port}.pid")
        if self.edit is not None:
            text = self.edit(self, text)
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

    def with_tls(self, text, tls):
        return text.rstrip()[:-1] + tls + "}\n"


class Apache(Front):
    name, template = "apache", os.path.join("apache", "apache.conf.in")

    def user_line(self):
        return (f"User {self.rig.user.pw_name}\n"
                f"Group #{self.rig.user.pw_gid}")

    def command(self):
        return ["/usr/sbin/apache2", "-D", "FOREGROUND", "-d", self.rig.dir,
                "-f", self.conf]

    def load(self, *names):
        return "".join(
            f"LoadModule {m}_module {self.values()['MODULES_DIR']}/mod_{m}.so\n"
            for m in names)

    def with_modules(self, text, *names):
        return text.replace("\n<VirtualHost",
                            "\n" + self.load(*names) + "<VirtualHost")

    def with_tls(self, text, tls):
        return (text + self.load("ssl", "socache_shmcb") + f"Listen 127.0.0.1:{self.plain_port}\n"
                f"Listen 127.0.0.1:{self.tls_port} https\n" + tls)


FRONTS = {"nginx": Nginx, "apache": Apache}
