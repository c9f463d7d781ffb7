"""What given databases must allow."""

import psycopg
import redis

from turnpike.cli.diagnosis.finding import Finding

_OLDEST_POSTGRES = 160000
_OLDEST_REDIS = 7
_TIMEOUT = 5
_RIGHTS = """
SELECT rolsuper OR rolcreaterole,
       has_database_privilege(current_database(), 'CREATE'),
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')
FROM pg_roles WHERE rolname = current_user
"""


def check_database(url: str) -> list[Finding]:
    """Looks at a given PostgreSQL: version, rights of its user, pgvector."""
    try:
        with psycopg.connect(url, connect_timeout=_TIMEOUT) as connection:
            version = connection.info.server_version
            roles, schemas, vector = connection.execute(_RIGHTS).fetchone() or (False,) * 3
            user = connection.info.user
    except psycopg.Error as error:
        return [Finding("database", False, str(error).strip(), "check TURNPIKE_DATABASE_URL")]
    return [
        Finding(
            "database",
            version >= _OLDEST_POSTGRES,
            f"PostgreSQL {version // 10000}",
            "use PostgreSQL 16 or newer",
        ),
        Finding(
            "database roles",
            roles,
            f"{user!r} may {'' if roles else 'not '}create roles",
            f"ALTER ROLE {user} CREATEROLE",
        ),
        Finding(
            "database schemas",
            schemas,
            f"{user!r} may {'' if schemas else 'not '}create schemas",
            f"GRANT CREATE ON DATABASE … TO {user}",
        ),
        Finding(
            "pgvector",
            vector,
            "available" if vector else "not available",
            "install pgvector on the server",
        ),
    ]


def check_redis_url(url: str) -> Finding:
    """Looks at a given Redis: whether it answers, and its version."""
    try:
        with redis.Redis.from_url(url, socket_timeout=_TIMEOUT) as client:
            version = str(client.info("server")["redis_version"])  # pyright: ignore[reportIndexIssue] # the synchronous client answers at once
    except (redis.RedisError, ValueError, OSError) as error:
        return Finding("redis", False, str(error), "check TURNPIKE_REDIS_URL")
    new_enough = int(version.split(".")[0]) >= _OLDEST_REDIS
    return Finding("redis", new_enough, f"version {version}", "use Redis 7 or Valkey, or newer")
