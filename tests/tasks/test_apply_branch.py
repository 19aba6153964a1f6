"""Apply as a commit on a new branch: three-way against HEAD, and no file or index of the user's is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from apply_lab import Project, actions, open_journal, tree, write

from jupyter_tasks.errors import Conflict, InvalidInput, NotFound, WorkspaceFailed
from jupyter_tasks.models import ApplyRequest, ApplyResponse

pytestmark = [pytest.mark.anyio]


class Repository(Project):
    """A project under git."""

    user: Mapping[str, str]

    def git(self, *words: str, cwd: Path | None = None) -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", **self.user}
        done = subprocess.run(
            ["git", *words], cwd=cwd or self.mine, env=environment, capture_output=True, check=True, timeout=20
        )
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    async def start(self, files: Mapping[str, str | bytes], *init: str) -> None:
        self.git("init", "-q", "-b", "main", *init)
        for name, content in files.items():
            write(self.mine / name, content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        await self.begin({})

    async def branch(self, name: str = "agent/fix", **more: object) -> ApplyResponse:
        request = ApplyRequest(branch=name, **more)  # type: ignore[arg-type]
        return await self.apply_of(environment=self.user, title="Fix the bug").apply(request)


@pytest.fixture
async def repo(tmp_path: Path) -> AsyncIterator[Repository]:
    journal = await open_journal(tmp_path)
    repo = Repository(tmp_path, journal)
    repo.user = {"HOME": str(tmp_path)}
    write(tmp_path / ".gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.org\n")
    yield repo
    await journal.database.close()


def changed(repo: Repository, branch: str = "agent/fix") -> list[str]:
    return repo.git("diff", "--no-renames", "--name-status", f"{branch}~1", branch).splitlines()


@pytest.mark.parametrize("hashes", ["sha1", "sha256"])
async def test_a_commit_beside_everything(repo: Repository, hashes: str) -> None:
    await repo.start({"a": "1\n", "d/b": "1\n", "gone": "1\n", "run": "x"}, f"--object-format={hashes}")
    write(repo.mine / "dirty", "mine")
    repo.git("add", "dirty")
    write(repo.mine / "a", "dirty\n")
    before = tree(repo.mine / "d"), repo.git("status", "--porcelain"), (repo.mine / ".git" / "index").read_bytes()
    head = repo.git("rev-parse", "HEAD")
    write(repo.theirs / "a", b"2\r\n\xff")
    write(repo.theirs / "new" / "er", "2\n")
    write(repo.theirs / "run", "x", 0o755)
    (repo.theirs / "gone").unlink()
    assert await repo.apply_of().unapplied() == 4

    plan = await repo.branch(dry_run=True)
    assert plan.commit is None
    assert not plan.applied
    assert repo.git("branch", "--list", "agent/fix") == ""
    done = await repo.branch()
    assert done.applied
    assert done.branch == "agent/fix"
    assert done.commit == repo.git("rev-parse", "agent/fix")
    assert repo.git("rev-parse", "agent/fix~1") == head
    assert actions(done) == {"a": "modified", "new/er": "added", "run": "modified", "gone": "deleted"}
    assert changed(repo) == ["M\ta", "D\tgone", "A\tnew/er", "M\trun"]
    assert repo.git("log", "-1", "--format=%an <%ae> %cn|%s", "agent/fix") == "Ann <ann@example.org> Ann|Fix the bug"
    shown = subprocess.run(["git", "show", "agent/fix:a"], cwd=repo.mine, capture_output=True, check=True).stdout
    assert shown == b"2\r\n\xff"
    assert "100755" in repo.git("ls-tree", "agent/fix", "run")
    assert before == (
        tree(repo.mine / "d"), repo.git("status", "--porcelain"), (repo.mine / ".git" / "index").read_bytes()
    )  # fmt: skip
    assert (repo.mine / "a").read_text() == "dirty\n"
    repo.git("fsck", "--strict")
    assert await repo.apply_of().unapplied() == 0
    with pytest.raises(Conflict, match="nothing to undo") as caught:
        await repo.undo()
    assert "git branch -D" in caught.value.hint
    with pytest.raises(Conflict, match="exists already"):
        await repo.branch()


async def test_what_was_committed_meanwhile_is_merged_and_a_conflict_makes_no_branch(repo: Repository) -> None:
    lines = [f"{number}\n" for number in range(20)]
    await repo.start({"a": "".join(lines), "b": "1\n"})
    write(repo.mine / "a", "".join([*lines[:-1], "mine\n"]))
    repo.git("commit", "-q", "-a", "-m", "mine")
    write(repo.theirs / "a", "".join(["theirs\n", *lines[1:]]))
    assert actions(await repo.branch("one")) == {"a": "merged"}
    assert repo.git("show", "one:a").split() == ["theirs", *(str(n) for n in range(1, 19)), "mine"]
    write(repo.mine / "b", "mine\n")
    repo.git("commit", "-q", "-a", "-m", "more")
    write(repo.theirs / "b", "theirs\n")
    done = await repo.branch("two")
    assert actions(done)["b"] == "conflict"
    assert not done.applied
    assert repo.git("branch", "--list", "two") == ""


async def test_files_that_were_not_in_version_control(repo: Repository) -> None:
    await repo.start({"a": "1\n", "lost": "1\n"})
    write(repo.mine / "untracked", "1\n")
    write(repo.mine / "a", "dirty\n")
    shutil.rmtree(repo.theirs)
    shutil.rmtree(repo.review.git_dir)
    await repo.begin({})
    write(repo.theirs / "untracked", "2\n")
    assert actions(await repo.branch("one")) == {"untracked": "added"}
    assert changed(repo, "one") == ["A\tuntracked"]
    write(repo.theirs / "lost", "2\n")
    repo.git("rm", "-q", "lost")
    repo.git("commit", "-q", "-m", "gone", "lost")
    assert actions(await repo.branch("two"))["lost"] == "conflict"


async def test_heads_of_every_kind(repo: Repository) -> None:
    repo.git("init", "-q", "-b", "main")
    await repo.begin({"a": "1\n"})
    write(repo.theirs / "a", "2\n")
    write(repo.theirs / "b", "2\n")
    done = await repo.branch("unborn")
    assert done.applied
    assert repo.git("ls-tree", "--name-only", "unborn").split() == ["a", "b"]
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "first")
    repo.git("checkout", "-q", "--detach")
    assert (await repo.branch("detached")).applied
    bare = repo.top / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.mine), str(bare))
    assert (await repo.branch("bare", target=str(bare))).applied
    assert repo.git("show", "bare:b", cwd=bare) == "2"


async def test_a_project_that_is_part_of_a_repository(repo: Repository) -> None:
    inner = repo.mine / "packages" / "one"
    repo.git("init", "-q", "-b", "main")
    write(repo.mine / "other", "1")
    write(inner / "a", "1")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "first")
    top, repo.mine = repo.mine, inner
    await repo.begin({})
    write(repo.theirs / "a", "2")
    write(repo.theirs / "b" / "c", "2")
    assert (await repo.branch()).applied
    repo.mine = top
    assert changed(repo) == ["M\tpackages/one/a", "A\tpackages/one/b/c"]


async def test_submodules_links_and_lfs_are_not_written(repo: Repository) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    await repo.start({"big": pointer, "a": "1"})
    other = repo.top / "other"
    other.mkdir()
    repo.git("init", "-q", cwd=other)
    repo.git("commit", "-q", "--allow-empty", "-m", "x", cwd=other)
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    (repo.mine / "ln").symlink_to("a")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "more")
    write(repo.theirs / "sub" / "x", "evil")
    write(repo.theirs / "ln", "file")
    write(repo.theirs / "big", "content")
    (repo.theirs / "sym").symlink_to("/etc/passwd")
    found = actions(await repo.branch())
    assert found == {"sub/x": "refused", "ln": "refused", "big": "conflict", "sym": "refused"}
    assert repo.git("branch", "--list", "agent/fix") == ""


async def test_line_ends_as_git_keeps_them(repo: Repository) -> None:
    repo.git("init", "-q", "-b", "main")
    repo.git("config", "core.autocrlf", "true")
    write(repo.mine / "a", b"1\r\n2\r\n3\r\n")
    write(repo.mine / "b", b"1\r\n")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "first")
    await repo.begin({})
    write(repo.theirs / "a", b"1\r\n2\r\nchanged\r\n")
    assert actions(await repo.branch()) == {"a": "modified"}
    assert (
        repo.git("diff", "--stat", "agent/fix~1", "agent/fix").splitlines()[-1].startswith(" 1 file changed, 1 insert")
    )


async def test_what_git_ignores_stays_out_unless_it_is_named(repo: Repository) -> None:
    await repo.start({".gitignore": "*.log\nbuild/\n", "a": "1"})
    for name in ("a", "run.log", "build/x", ":b"):
        write(repo.theirs / name, "2")
    done = await repo.branch("one")
    assert actions(done) == {"a": "modified", ":b": "added", "run.log": "unchanged", "build/x": "unchanged"}
    assert changed(repo, "one") == ["A\t:b", "M\ta"]
    assert await repo.apply_of().unapplied() == 2
    assert actions(await repo.branch("two", paths=["run.log"])) == {"run.log": "added"}
    assert changed(repo, "two") == ["A\trun.log"]


async def test_a_worktree_beside_the_repository(repo: Repository) -> None:
    await repo.start({"a": "1"})
    beside = repo.top / "beside"
    repo.git("worktree", "add", "-q", "--detach", str(beside))
    write(repo.theirs / "a", "2")
    assert (await repo.branch(target=str(beside))).applied
    assert changed(repo) == ["M\ta"]


async def test_directories_and_files_change_places(repo: Repository) -> None:
    await repo.start({"a": "1", "d/x": "1"})
    (repo.theirs / "a").unlink()
    write(repo.theirs / "a" / "b", "2")
    shutil.rmtree(repo.theirs / "d")
    write(repo.theirs / "d", "2")
    assert (await repo.branch()).applied
    assert changed(repo) == ["D\ta", "A\ta/b", "A\td", "D\td/x"]


async def test_where_no_branch_can_be_made(repo: Repository) -> None:
    await repo.begin({"a": "1"})
    write(repo.theirs / "a", "2")
    with pytest.raises(InvalidInput, match="not in a git repository"):
        await repo.branch()
    repo.git("init", "-q", "-b", "main")
    for name in ("-x", "a..b", "x.lock", "", "a b", "@{-1}", "HEAD", "a\0b"):
        with pytest.raises(InvalidInput, match="not a name for a branch"):
            await repo.branch(name)
    write(repo.top / ".gitconfig", "")
    with pytest.raises(WorkspaceFailed, match="No commit could be made") as caught:
        await repo.branch()
    assert "user.name" in caught.value.hint
    with pytest.raises(NotFound):
        await repo.branch(target=str(repo.top / "nowhere"))


async def test_no_program_runs_in_the_user_s_repository_or_because_of_the_workspace(repo: Repository) -> None:
    await repo.start({"a.txt": "1\n", "b.txt": "1\n"})
    sprung = repo.top / "sprung"
    sprung.mkdir()
    trap = repo.top / "trap"
    write(trap, f'#!/bin/sh\ntouch "{sprung}/$(basename "$0")"\ncat\n', 0o755)
    for side in (repo.mine, repo.theirs):
        if side == repo.theirs:
            repo.git("init", "-q", cwd=side)
        for hook in ("reference-transaction", "post-commit", "pre-commit", "post-index-change", "commit-msg"):
            write(side / ".git" / "hooks" / hook, trap.read_text(), 0o755)
        for key in ("filter.t.clean", "filter.t.smudge", "diff.t.textconv", "diff.external", "core.fsmonitor"):
            repo.git("config", key, str(trap), cwd=side)
        repo.git("config", "merge.t.driver", f"{trap} %A", cwd=side)
        repo.git("config", "commit.gpgSign", "true", cwd=side)
        repo.git("config", "gpg.program", str(trap), cwd=side)
        write(side / ".git" / "info" / "attributes", "* filter=t diff=t merge=t\n")
    write(repo.theirs / ".gitattributes", "* filter=t diff=t merge=t\n")
    write(repo.theirs / "a.txt", "2\n")
    write(repo.mine / "b.txt", "1\nmine\n")
    write(repo.theirs / "b.txt", "theirs\n1\n")
    for each in sprung.iterdir():  # of setting the traps
        each.unlink()
    assert (await repo.branch()).applied
    assert (await repo.apply("a.txt", ".gitattributes")).applied
    assert (await repo.undo()).undone
    assert list(sprung.iterdir()) == []
    subprocess.run(["git", "commit", "-a", "-m", "x"], cwd=repo.mine, env={**os.environ, **repo.user}, check=False)
    assert list(sprung.iterdir()) != []  # they were armed


async def test_a_long_prompt_becomes_a_title_and_a_body(repo: Repository) -> None:
    await repo.start({"a": "1"})
    write(repo.theirs / "a", "2")
    await repo.branch("one", message="word " * 40)
    title, body = repo.git("log", "-1", "--format=%s%n%b", "one").split("\n", 1)
    assert len(title) <= 72
    assert body.startswith("word word")
    write(repo.theirs / "a", "3")
    await repo.branch("two", message="-m --amend\n\nbody")
    assert repo.git("log", "-1", "--format=%s", "two") == "-m --amend"
