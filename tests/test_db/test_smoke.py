from lsm.db import Database


def test_a_fresh_database_knows_its_migrations(db: Database) -> None:
    assert [row["name"] for row in db.rows("SELECT name FROM lsm_migrations")]
