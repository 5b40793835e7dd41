"""What bench/run measures with: the load client, bare servers behind the same
web server, processor time and memory of processes.
"""
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "tests", "lib"))
from rig import BUILD, free_port, wait_until  # noqa: E402


def program(name):
    return os.path.join(BUILD, "bench", name)


def load(*argv):
    """Run the load client to its end; what it saw."""
    return json.loads(subprocess.run(
        [program("load"), *map(str, argv)], check=True,
        stdout=subprocess.PIPE, text=True).stdout)


def load_begin(*argv):
    """Start it; load_end() takes what it saw."""
    return subprocess.Popen([program("load"), *map(str, argv)],
                            stdout=subprocess.PIPE, text=True)


def load_end(child):
    return json.loads(child.communicate()[0])


class Bare:
    """nginx in front of a bare FastCGI program: ${argv} behind its socket."""

    def __init__(self, rig, name, *argv):
        self.port = free_port()
        sock = rig.path("run", f"{name}.sock")
        self.server = subprocess.Popen(
            [program(name), sock, *map(str, argv)])
        wait_until(lambda: os.path.exists(sock), 5, f"{name} listens")
        conf = rig.path("etc", f"{name}.conf")
        user = f"user {rig.user.pw_name};" if os.geteuid() == 0 else ""
        tmp = rig.path("tmp")
        with open(conf, "w") as f:
            f.write(f"""
{user}
worker_processes auto; pid {rig.path('run', f'{name}-nginx.pid')};
worker_rlimit_nofile 65536;
error_log {rig.path('log', f'{name}.log')};
events {{ worker_connections 20480; multi_accept on; }}
http {{ access_log off; tcp_nodelay on; client_body_temp_path {tmp};
 fastcgi_temp_path {tmp}; proxy_temp_path {tmp};
 scgi_temp_path {tmp}; uwsgi_temp_path {tmp};
 upstream bare {{ server unix:{sock}; keepalive 32; }}
 server {{ listen 127.0.0.1:{self.port} backlog=4096;
  include /etc/nginx/fastcgi_params; fastcgi_keep_conn on;
  location / {{ fastcgi_pass bare; }}
  location /stream {{ fastcgi_buffering off; fastcgi_pass bare; }} }} }}
""")
        self.nginx = subprocess.Popen(
            ["nginx", "-p", rig.dir, "-c", conf, "-g", "daemon off;",
             "-e", rig.path("log", f"{name}.log")])
        try:
            wait_until(self.answers, 20, f"{name} answers")
        except BaseException:
            self.close()
            raise

    def answers(self):
        r = subprocess.run(
            [program("load"), "-c", "1", "-d", "9", "-q", "1", "-m", "POST",
             "-b", '{"message":"x"}', str(self.port), "/"],
            stdout=subprocess.PIPE, text=True)
        return json.loads(r.stdout)["statuses"].get("200")

    def pids(self):
        return children(self.server.pid)

    def close(self):
        if self.server.returncode is not None:
            return
        self.nginx.terminate()
        self.nginx.wait()
        self.server.kill()
        self.server.wait()


def children(pid):
    out = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="],
                         stdout=subprocess.PIPE, text=True).stdout
    return [int(p) for p in out.split()]


def cpu_of(pids):
    """User and system seconds of processes, by now."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / os.sysconf("SC_CLK_TCK")


def pss_of(pids):
    """Proportional set size of processes, bytes."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(),
                                       re.M).group(1)) * 1024
        except OSError:
            pass
    return total


def ours(rig):
    return [rig.master] + rig.workers("")


def groups(rig, provider):
    """Who spends time on a turn: pids by name."""
    found = {"ours": ours(rig), "nginx": children(rig.children["nginx"].pid),
             "provider": [provider.child.pid]}
    data = os.environ.get("SB_TEST_PG_DIR")
    if data:
        with open(os.path.join(data, "data", "postmaster.pid")) as f:
            found["postgres"] = children(int(f.readline()))
    return found
