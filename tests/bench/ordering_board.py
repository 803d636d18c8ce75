# SPDX-License-Identifier: MIT
"""SQLite on the board, linked as it comes, for recording, and ordered: pages and page cache.

    .venv/bin/python tests/bench/ordering_board.py FOLDER

FOLDER has sqlite3.c and sqlite3.h (the amalgamation). The order is made of one workload, and then
measured with that and with another one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[n] / name) for n, name in ((1, ""), (2, "firmware/board"))
]

from support.dense_program import ARM, ENDS, Source, compile_source  # noqa: E402
from target.booting import board  # noqa: E402
from target.ordering import Target, aligned, order_of  # noqa: E402

SIMPLE = """
create table t(a integer primary key, b text);
with n(i) as (select 1 union all select i + 1 from n where i < 300)
  insert into t select i, 'text ' || i from n;
select sum(a) from t where b like '%7%';
update t set b = b || 'x' where a % 3 = 0;
delete from t where a % 5 = 0;
select count(*) from t;
drop table t;
"""
OTHER = """
create table u(k text, v real);
create index i on u(k);
with n(i) as (select 1 union all select i + 1 from n where i < 300)
  insert into u select printf('%04d', i * 7919 % 300), i / 3.0 from n;
select k, avg(v) over (order by k rows 3 preceding) from u order by v desc limit 5;
select json_group_array(k) from u where v < 10;
select group_concat(k) from (select k from u group by k having count(*) > 0 order by k limit 9);
drop table u;
"""
MAIN = """
#include "sqlite3.h"
static int rows;
static int row(void *out, int count, char **values, char **names)
{
  (void)out, (void)count, (void)values, (void)names;
  return rows++, 0;
}
int main(void)
{
  sqlite3 *db;
  sqlite3_open(":memory:", &db);
  for (int i = 0; i < 3; i++) {
    if (sqlite3_exec(db, SQL, row, NULL, NULL))
      printf("failed: %s\\n", sqlite3_errmsg(db));
    sleep(1);
  }
  printf("%d\\n", rows);
  end();
}
"""
FOLDER_OF_LIBC = Path("/usr/arm-linux-gnueabihf/lib")
LIBC = [FOLDER_OF_LIBC / name for name in ("ld-linux-armhf.so.3", "libc.so.6", "libm.so.6")]
"""From Debian's libc6-armhf-cross. SQLite is linked against them. They stay as they are."""

FLAGS = (
    "-O2",
    "-ffunction-sections",
    "-fdata-sections",
    "-DSQLITE_THREADSAFE=0",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
)


def main_of(sql: str) -> str:
    text = sql.replace("\n", " ").replace('"', '\\"')
    return f'{ENDS}\n#define SQL "{text}"\n{MAIN}'


def main() -> None:
    given = Path(sys.argv[1])
    agent = Path(board("agent"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = {file: (given / file).read_text() for file in ("sqlite3.c", "sqlite3.h")}
        (folder / "o").mkdir()
        (folder / "o/sqlite3.h").write_text(library.pop("sqlite3.h"))
        files = {**library, "simple.c": main_of(SIMPLE), "other.c": main_of(OTHER)}
        objects = compile_source(folder / "o", Source(files, (), ()), ARM, FLAGS)
        other, simple, sqlite = objects
        objects = aligned([simple, sqlite], folder / "aligned")
        recording = Target(folder / "r", agent, objects, "-lm", libraries=LIBC)
        recording.record()
        file, names = order_of(recording)
        print(f"ordered {len(names)} functions")
        order = f"-Wl,--section-ordering-file={file}"
        for workload, main_object in (("recorded", simple), ("other", other)):
            for kind, flags in (("plain", ()), ("ordered", (order,))):
                target = Target(
                    folder / f"{workload}-{kind}",
                    agent,
                    [main_object, sqlite],
                    "-lm",
                    *flags,
                    libraries=LIBC,
                )
                pages = len(target.record().pages)
                said, cached = target.measure()
                print(f"{workload}-{kind} {pages} pages, {cached} KiB cached, {said} rows")


if __name__ == "__main__":
    main()
