"""camel-oasis beside ours: the same job on its Reddit form, each in a process of its own, one after the other.

Prints one JSON line. Everybody refreshes a feed of 5 of the 100 hottest posts, 10 % post, 20 % like, 5 % repost, 5 % follow, 5 % comment.
OASIS is called where its favourable mode ends: the methods of its platform, without agents, mailbox or tool schemas. Its environment is
made once, by pip, in the folder given. ``python benchmarks/peers/social_platform.py --users 1000 --users 10000``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

from sociarium.cli.benches.population import child_of

WANTED = (["torch==2.13.0"], ["camel-oasis==0.2.5", "mcp<2"])  # torch first: the peer's own wish brings a build for graphics cards
SCRIPT = """
import asyncio, json, os, random, statistics, sys, tempfile, time
os.chdir(tempfile.mkdtemp())  # it writes log files where it stands
import logging; logging.disable(logging.CRITICAL)
from oasis.social_platform.platform import Platform

async def main(users, steps):
    random.seed(1)
    platform = Platform(os.path.abspath("platform.db"), recsys_type="reddit", refresh_rec_post_count=5, max_rec_post_len=100)
    begun = time.perf_counter()
    for user in range(users):
        await platform.sign_up(user, (f"u{user}", f"U {user}", "somebody with an opinion"))
    signed = time.perf_counter() - begun
    for user in range(100):
        await platform.create_post(user % users, f"post {user}")
    acts, walls, cpus = 0, [], []
    for step in range(steps):
        wall, cpu = time.perf_counter(), time.process_time()
        await platform.update_rec_table()
        for user in range(users):
            feed = (await platform.refresh(user)).get("posts", [])
            draw = [random.random() for _ in range(5)]
            done = []
            if draw[0] < .1:
                done.append(await platform.create_post(user, f"User {user} has this to say as a post, in step {step} of it all."))
            if feed and draw[1] < .2:
                done.append(await platform.like_post(user, random.choice(feed)["post_id"]))
            if feed and draw[2] < .05:
                done.append(await platform.repost(user, random.choice(feed)["post_id"]))
            if feed and draw[3] < .05:
                done.append(await platform.follow(user, random.choice(feed)["user_id"]))
            if feed and draw[4] < .05:
                text = f"User {user} has this to say as a comment, in step {step} of it all."
                done.append(await platform.create_comment(user, (random.choice(feed)["post_id"], text)))
            acts += sum(bool(one.get("success")) for one in done)
        walls.append(time.perf_counter() - wall); cpus.append(time.process_time() - cpu)
    size = os.path.getsize("platform.db")
    told = {"wall": statistics.median(walls), "cpu": statistics.median(cpus), "acts": acts / steps, "sign_up": signed, "bytes": size}
    sys.stdout.write("RESULT" + json.dumps(told) + "\\n")
    sys.stdout.flush()
    os._exit(0)
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


def peer(folder: Path, users: int, steps: int) -> dict[str, object]:
    """Its figures, or why there are none."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        for wanted in WANTED:
            done = subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], capture_output=True, text=True, check=False)
            if done.returncode:
                return {"error": f"does not install: {done.stderr[-300:]}"}
    try:
        ran = subprocess.run([str(python), "-c", SCRIPT, str(users), str(steps)], capture_output=True, text=True, timeout=550, check=False)
    except subprocess.TimeoutExpired:
        return {"error": "not done within 550 s"}
    lines = [line for line in ran.stdout.splitlines() if line.startswith("RESULT")]
    return json.loads(lines[0][6:]) if lines else {"error": (ran.stderr or ran.stdout)[-300:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, action="append", help="a size; may be given again (default: 1000)")
    parser.add_argument("--steps", type=int, default=3, help="steps of the peer")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "environments" / "camel-oasis")
    given = parser.parse_args()
    found = {}
    for users in given.users or [1000]:
        theirs = peer(given.folder, users, given.steps)
        ours = child_of("sociarium.cli.benches.platform", "step", users, 1.0)
        found[users] = {"camel-oasis": theirs, "ours": ours}
        if isinstance(clock := theirs.get("wall"), float):
            found[users]["times by the clock"] = {"value": round(clock / ours["wall"])}
    sys.stdout.write(json.dumps({"bench": "peers_platform", "users": found}) + "\n")


if __name__ == "__main__":
    main()
