"""An open-loop caller: requests leave at their times whether or not earlier
ones have been answered, as the world's do.  One thread, kept connections.

What it measures is a little late when the machine is busy: it shares it.
"""
import asyncio
import collections
import time

Sample = collections.namedtuple("Sample", "at seconds status headers body")


async def _reply(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in
               (line.partition(":") for line in lines[1:] if line)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            body += (await reader.readexactly(size + 2))[:size]
            if size == 0:
                break
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(lines[0].split()[1]), headers, body


class Caller:
    """Sends ${request} (bytes) to ${port}; samples are kept."""

    def __init__(self, port, request):
        self.port, self.request = port, request
        self.idle, self.samples = [], []

    async def once(self):
        began = time.monotonic()
        try:
            reader, writer = self.idle.pop() if self.idle else \
                await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(self.request)
            status, headers, body = await _reply(reader)
            if headers.get("connection") == "close":
                writer.close()
            else:
                self.idle.append((reader, writer))
        except (OSError, asyncio.IncompleteReadError) as e:
            status, headers, body = 0, {}, repr(e).encode()
        self.samples.append(Sample(began, time.monotonic() - began, status,
                                   headers, body))

    async def paced(self, rate, seconds):
        """${rate} a second, evenly, for ${seconds}; then wait for all."""
        began, tasks, n = time.monotonic(), [], 0
        while n < rate * seconds:
            now = time.monotonic() - began
            while n <= now * rate and n < rate * seconds:
                tasks.append(asyncio.ensure_future(self.once()))
                n += 1
            await asyncio.sleep(max(0, n / rate - (time.monotonic() - began)))
        await asyncio.gather(*tasks)
        self._close()

    async def closed(self, callers, seconds):
        """${callers} at once, each asking again when it is answered."""
        end = time.monotonic() + seconds

        async def one():
            while time.monotonic() < end:
                await self.once()
        await asyncio.gather(*(one() for _ in range(callers)))
        self._close()

    def _close(self):
        for _, writer in self.idle:
            writer.close()
        self.idle = []


def request(method, path, headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1",
             f"Content-Length: {len(body)}"]
    lines += [f"{k}: {v}" for k, v in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def percentile(samples, p):
    """In milliseconds."""
    v = sorted(s.seconds for s in samples)
    return v[min(int(len(v) * p), len(v) - 1)] * 1000 if v else 0.0


def of(samples, *statuses):
    return [s for s in samples if s.status in statuses]


def statuses(samples):
    return {s.status for s in samples}
