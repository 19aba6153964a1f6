"""The sales dashboard: a web server on the standard library.

Serves the page in ``static/`` and the figures of ``data/sales.csv``. Files are read anew for every request, so that a
change shows at the next reload. Listens on the port in the environment variable PORT, or 8000.
"""

import contextlib
import csv
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
SALES = HERE / "data" / "sales.csv"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def read_sales():
    """Every row of the CSV file, with numbers as numbers."""
    with SALES.open(newline="", encoding="utf-8") as file:
        return [
            {
                "month": row["month"],
                "region": row["region"],
                "product": row["product"],
                "channel": row["channel"],
                "units": int(row["units"]),
                "revenue": round(float(row["revenue"]), 2),
            }
            for row in csv.DictReader(file)
        ]


class Dashboard(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server_version = "SalesDashboard/1.0"

    def do_GET(self):
        """Send the page, one of its files, or the figures."""
        path = urlsplit(self.path).path.lstrip("/") or "index.html"
        if path == "healthz":
            self.reply(200, "text/plain; charset=utf-8", b"ok\n")
        elif path == "sales.js":
            # a script, not fetch(): a page in a sandbox has no origin of its own to fetch from
            self.reply(200, TYPES[".js"], f"window.SALES = {self.figures()};\n".encode())
        elif path == "sales.json":
            self.reply(200, "application/json", self.figures().encode())
        else:
            self.send_static(path)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def figures(self):
        """The rows as JSON that is safe inside of a script."""
        try:
            return json.dumps(read_sales()).replace("<", "\\u003c")
        except (OSError, KeyError, ValueError) as problem:
            self.log_error("sales.csv cannot be read: %s", problem)
            return json.dumps({"error": f"data/sales.csv cannot be read: {problem}"}).replace("<", "\\u003c")

    def send_static(self, path):
        """Send a file of static/, and nothing outside of it."""
        file = (STATIC / path).resolve()
        if STATIC not in file.parents or not file.is_file():
            self.reply(404, "text/plain; charset=utf-8", b"not found\n")
            return
        self.reply(200, TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes())

    def reply(self, status, content_type, body):
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main():
    """Serve until interrupted."""
    port = int(os.environ.get("PORT") or 8000)
    with ThreadingHTTPServer(("127.0.0.1", port), Dashboard) as server:
        print(f"Sales dashboard on http://localhost:{server.server_port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
