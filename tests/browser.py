"""A headless Chromium on the real clock, spoken to through two pipes: what a page says of itself can be waited for.

Chromium's own `--virtual-time-budget` runs out on a busy machine before a picture is decoded, so no waiting in it is sure.
"""

import base64
import json
import os
import shutil
import subprocess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One window of a size. Messages are JSON that ends with a zero byte, in on descriptor 3 and out on 4."""

    def __init__(self, profile, wide, high):
        self.number = 0
        theirs_in, self.out = os.pipe()
        mine_in, theirs_out = os.pipe()
        words = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe",
            f"--user-data-dir={profile}", f"--window-size={wide},{high}", "about:blank",
        ]  # fmt: skip
        # A shell gives the pipes the two numbers that Chromium expects, whatever numbers they have here.
        shell = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *words]
        self.process = subprocess.Popen(shell, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.answers = os.fdopen(mine_in, "rb")
        self.left = b""
        (page,) = (one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]

    def ask(self, method, **params):
        """The answer to one message; what Chromium tells unasked in between is passed over."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if "session" in vars(self):
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.left:
                more = self.answers.read1()
                assert more, f"the browser ended at {method}"
                self.left += more
            answer, _, self.left = self.left.partition(b"\0")
            said = json.loads(answer)
            if said.get("id") == self.number:
                assert "result" in said, said
                return said["result"]

    def evaluate(self, script):
        """What a script comes to; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self):
        return base64.b64decode(self.ask("Page.captureScreenshot")["data"])

    def close(self):
        self.process.kill()
        self.process.wait()
        self.answers.close()
        os.close(self.out)
