"""Database URLs, as people write them and as asyncpg takes them."""

from urllib.parse import quote, urlencode

import pytest

from surefoot.connect.url import TLS_ARGUMENTS, DatabaseUrl
from surefoot.errors import DatabaseUrlInvalid

PASSWORDS = [
    "p@ss:w/o?r#d%41%",
    "%",
    "100%",
    "%zz",
    "a b",
    "a+b",
    "a,b",
    "[::1]",
    "p=q&r=s",
    "'\"\\$`",
    "pässwörd☃",
    "@",
    "://",
    "x@y@z",
]
# All but those that look like an encoded one, or like "@host".
RAW_PASSWORDS = [
    "p@ss:w/o?r#d%41%",
    "100%",
    "a+b",
    "a,b",
    "p=q&r=s",
    "'\"\\$`",
    "x@y@z",
    ":",
    "pä☃",
]

# Every argument of libpq 18 that has no meaning here.
REFUSED = [
    *(
        "authtype",
        "channel_binding",
        "client_encoding",
        "fallback_application_name",
        "gssdelegation",
    ),
    *("gssencmode", "gsslib", "hostaddr", "keepalives", "keepalives_count", "keepalives_idle"),
    *("keepalives_interval", "krbsrvname", "load_balance_hosts", "max_protocol_version"),
    *("min_protocol_version", "oauth_client_id", "oauth_issuer", "replication", "require_auth"),
    *(
        "requirepeer",
        "requiressl",
        "scram_client_key",
        "scram_server_key",
        "service",
        "servicefile",
    ),
    *("sslcertmode", "sslcompression", "sslcrldir", "sslkeylogfile", "sslpassword", "sslsni"),
    *("tcp_user_timeout", "no_such_thing"),
]


def parse(text: str) -> DatabaseUrl:
    return DatabaseUrl.parse(text)


def arguments(text: str) -> dict[str, object]:
    return parse(text).connect_arguments(connect_timeout_s=5)


def refusal(text: str) -> str:
    with pytest.raises(DatabaseUrlInvalid) as refused:
        parse(text)
    return refused.value.reason


# -- schemes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme",
    [
        *("postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"),
        *("postgresql+psycopg2", "postgresql+psycopg_async", "postgresql+pg8000"),
    ],
)
def test_each_driver_of_an_application_means_the_same_database(scheme: str) -> None:
    """The library connects by asyncpg, whatever the application uses."""
    assert parse(f"{scheme}://u:p@h:1/d") == parse("postgresql://u:p@h:1/d")


def test_another_database_is_refused_by_name() -> None:
    """It says what it is, and what it is not."""
    assert refusal("mysql://u:p@h/d") == "'mysql' is not PostgreSQL"


def test_a_misspelt_scheme_gets_the_nearest() -> None:
    """A slip of the finger is recognised."""
    assert refusal("postgersql://u:p@h/d") == (
        "'postgersql' is not PostgreSQL; did you mean 'postgresql://'?"
    )


@pytest.mark.parametrize("text", ["", "h/d", "host=h dbname=d", "postgresql:/h/d"])
def test_what_is_no_url_is_refused(text: str) -> None:
    """A key-value string of libpq is not a URL either."""
    assert refusal(text) == "it is not a URL: it has no `postgresql://` in front"


def test_white_space_around_a_url_is_ignored() -> None:
    """A secret file ends with a newline."""
    assert parse(" postgresql://u@h/d\n").database == "d"


# -- hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("postgresql://u@h/d", (("h", 5432),)),
        ("postgresql://u@h:6543/d", (("h", 6543),)),
        ("postgresql://h", (("h", 5432),)),
        ("postgresql://u@[::1]/d", (("::1", 5432),)),
        ("postgresql://u@[fe80::1%25eth0]:6/d", (("fe80::1%eth0", 6),)),
        ("postgresql://u@a,b:2,[::1]:3/d", (("a", 5432), ("b", 2), ("::1", 3))),
        ("postgresql://u@%2Fvar%2Frun/d", (("/var/run", 5432),)),
        ("postgresql://u@/d?host=h", (("h", 5432),)),
        ("postgresql://u@/d?host=h&port=7", (("h", 7),)),
        ("postgresql:///d?host=a,b&port=7", (("a", 7), ("b", 7))),
        ("postgresql:///d?host=a,b&port=7,8", (("a", 7), ("b", 8))),
        ("postgresql:///d?host=a:7&host=b:8", (("a", 7), ("b", 8))),
        ("postgresql:///d?host=::1", (("::1", 5432),)),
        ("postgresql:///d?host=/var/run", (("/var/run", 5432),)),
        ("postgresql:///d?host=%2Fvar%2Frun&port=6", (("/var/run", 6),)),
        ("postgresql:///d?host=/a%20b%2541%2Bc", (("/a b%41+c", 5432),)),
        ("postgresql:///d?host=/a+b", (("/a+b", 5432),)),
        ("postgresql:///d?port=7", (("localhost", 7),)),
        ("postgresql://u@:7/d", (("localhost", 7),)),
        ("postgresql:///d", ()),
    ],
)
def test_hosts_are_read_as_libpq_reads_them(text: str, hosts: tuple[tuple[str, int], ...]) -> None:
    """Names, addresses, socket folders, several of them, before the database or as arguments."""
    assert parse(text).hosts == hosts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("postgresql://u@h:0/d", "'0' is not a port"),
        ("postgresql://u@h:65536/d", "'65536' is not a port"),
        ("postgresql:///d?host=h&port=x", "'x' is not a port"),
        ("postgresql:///d?host=a,b,c&port=1,2", "it has 3 hosts and 2 ports"),
        (
            "postgresql://u@a/d?host=b",
            "it names hosts twice: before the database and in its arguments",
        ),
    ],
)
def test_unusable_hosts_are_refused(text: str, reason: str) -> None:
    """The part that is wrong is quoted."""
    assert refusal(text) == reason


def test_the_first_host_that_is_asked_for_is_the_first_that_is_tried() -> None:
    """Several hosts reach asyncpg in their order."""
    given = arguments("postgresql://u@a:1,b:2/d?target_session_attrs=primary")
    assert (given["host"], given["port"]) == (["a", "b"], [1, 2])
    assert given["target_session_attrs"] == "primary"


# -- user, password, database ----------------------------------------------------------------------


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works_when_it_is_quoted(password: str) -> None:
    """Percent-encoded, every character arrives as it was."""
    url = f"postgresql://u:{quote(password, safe='')}@h:1/d?sslmode=require"
    assert arguments(url)["password"] == password
    assert parse(url).hosts == (("h", 1),)


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works_as_an_argument(password: str) -> None:
    """libpq's other place for it."""
    assert arguments(f"postgresql://u@h/d?password={quote(password, safe='')}")["password"] == (
        password
    )


@pytest.mark.parametrize("password", RAW_PASSWORDS)
def test_a_raw_password_works_too(password: str) -> None:
    """People paste what the secret store gave them; nothing in it was encoded."""
    assert arguments(f"postgresql://u:{password}@h:1/d")["password"] == password


def test_a_plus_sign_is_a_plus_sign() -> None:
    """Only forms write a space as a plus sign; libpq does not."""
    given = arguments("postgresql://u@h/d?password=a+b&application_name=c+d&passfile=/e+f")
    assert (given["password"], given["passfile"]) == ("a+b", "/e+f")
    assert given["server_settings"] == {"application_name": "c+d"}


@pytest.mark.parametrize(
    ("text", "user", "database"),
    [
        ("postgresql://u@h/d", "u", "d"),
        ("postgresql://u%40x:p@h/d%2Fe", "u@x", "d/e"),
        ("postgresql://h/?user=u&dbname=d", "u", "d"),
        ("postgresql://u@h", "u", None),
        ("postgresql://u@h/", "u", None),
        ("postgresql://", None, None),
    ],
)
def test_user_and_database_are_read(text: str, user: str | None, database: str | None) -> None:
    """From their places or from the arguments."""
    assert (parse(text).user, parse(text).database) == (user, database)


def test_the_name_is_what_postgresql_would_choose() -> None:
    """Without a database it is the user's."""
    assert parse("postgresql://u@h").name == "u"


# -- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", REFUSED)
def test_an_argument_without_an_equivalent_is_refused_by_name(argument: str) -> None:
    """It is not dropped: whoever wrote it meant something by it."""
    assert refusal(f"postgresql://u@h/d?{argument}=1").startswith(
        f"its argument {argument!r} has no equivalent in asyncpg; "
    )


def test_a_misspelt_argument_gets_the_nearest() -> None:
    """A slip of the finger is recognised."""
    assert refusal("postgresql://u@h/d?ssl_mode=require").endswith("did you mean 'sslmode'?")


def test_an_argument_that_is_given_twice_is_refused() -> None:
    """Neither of the two is preferred silently."""
    assert refusal("postgresql://u@h/d?sslmode=require&sslmode=disable") == (
        "its argument 'sslmode' is given twice"
    )


@pytest.mark.parametrize(
    "mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
)
def test_tls_modes_reach_asyncpg_in_a_dsn(mode: str) -> None:
    """asyncpg reads modes and certificate files as libpq does, from a DSN."""
    assert arguments(f"postgresql://u@h/d?sslmode={mode}")["dsn"] == f"postgresql://?sslmode={mode}"


def test_every_tls_argument_reaches_asyncpg() -> None:
    """Paths keep their special characters."""
    given = {name: f"/x y/{name}&=%" for name in TLS_ARGUMENTS if name != "sslmode"}
    url = f"postgresql://u@h/d?{urlencode(given, quote_via=quote)}"
    assert arguments(url)["dsn"] == f"postgresql://?{urlencode(given)}"


def test_unknown_modes_are_refused_with_the_known() -> None:
    """The values that there are stand in the message."""
    assert refusal("postgresql://u@h/d?sslmode=on") == (
        "sslmode is 'on'; it is one of disable, allow, prefer, require, verify-ca, verify-full"
    )
    assert refusal("postgresql://u@h/d?target_session_attrs=master").startswith(
        "target_session_attrs is 'master'; it is one of any, primary, "
    )


@pytest.mark.parametrize(
    ("given", "seconds"), [("3", 3.0), ("0", 86_400.0), ("-1", 86_400.0), (None, 5.0)]
)
def test_the_connect_timeout_is_seconds(given: str | None, seconds: float) -> None:
    """The URL's counts before the settings'; zero waits, as with libpq."""
    argument = "" if given is None else f"?connect_timeout={given}"
    assert arguments(f"postgresql://u@h/d{argument}")["timeout"] == seconds


def test_a_connect_timeout_that_is_no_number_is_refused() -> None:
    """A unit is not understood by libpq either."""
    assert refusal("postgresql://u@h/d?connect_timeout=5s") == (
        "connect_timeout is '5s'; it is a whole number of seconds"
    )


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("-c a=1", {"a": "1"}),
        ("-ca=1", {"a": "1"}),
        ("--lock-timeout=2s", {"lock_timeout": "2s"}),
        ("-c a=1 -c b.c=2 --d=3", {"a": "1", "b.c": "2", "d": "3"}),
        (r"-c search_path=a,\ b", {"search_path": "a, b"}),
        (r"-c a=\\", {"a": "\\"}),
        ("-c timezone=Etc/GMT+3", {"timezone": "Etc/GMT+3"}),
        ("-c a=", {"a": ""}),
    ],
)
def test_options_become_server_settings(options: str, settings: dict[str, str]) -> None:
    """libpq's command-line form, with its backslashes."""
    url = f"postgresql://u@h/d?options={quote(options, safe='')}"
    assert arguments(url)["server_settings"] == settings


def test_options_with_spaces_written_as_plus_signs_are_understood() -> None:
    """As urlencode() writes them; a plus sign inside a value stays."""
    given = arguments("postgresql://u@h/d?options=-c+timezone=Etc/GMT%2B3+-c+a=1")
    assert given["server_settings"] == {"timezone": "Etc/GMT+3", "a": "1"}


@pytest.mark.parametrize("options", ["-f", "a=1", "-c", "-c a", "-c 1=2"])
def test_other_options_are_refused(options: str) -> None:
    """Only settings can be handed to a server at connect."""
    assert refusal(f"postgresql://u@h/d?options={quote(options)}").endswith(
        "only `-c name=value` is understood"
    )


def test_malformed_arguments_are_refused() -> None:
    """A name without a value is no argument."""
    assert refusal("postgresql://u@h/d?sslmode=require&x") == (
        "its arguments do not read as name=value&name=value"
    )


# -- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["postgresql://u:{}@h/d", "postgresql://u@h/d?password={}"])
def test_the_password_is_in_no_text_of_the_url(where: str) -> None:
    """str and repr are for people and logs."""
    url = parse(where.format("S3cret"))
    assert url.password == "S3cret"
    assert "S3cret" not in f"{url} {url!r} {url.name} {url.address}"
    assert str(url) == "postgresql://u:***@h:5432/d"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:S3cret@h/d",
        "u:S3cret@h/d",
        "postgresql://u:S3cret@h:0/d",
        "postgresql://u:S3cret@h:port/d",
        "postgresql://u:S3cret@h/d?nonsense=1",
        "postgresql://u:S3cret@h/d?sslmode=1",
        "postgresql://u:S3cret@h/d?sslmode",
        "postgresql://u:S3cret@h/d?options=x",
        "postgresql://u:S3cret@h/d?connect_timeout=x",
        "postgresql://u:S3cret@[::1/d",
        "postgresql://u:S3cret@ho st/d",
        "postgresql://u:S3cret@h1:1:2/d",
        "postgresql://u:S3cret",
        "postgresql://:S3cret",
        "postgresql://u:pa?S3cret=1@h:x/d",
        "postgresqlx+psycopg://u:S3cret@h/d",
        "postgresql://u@h/d?password=S3cret&x=1",
        "postgresql://u@h/d?pasword=S3cret",
    ],
)
def test_the_password_is_in_no_error(url: str) -> None:
    """An unreadable part is not quoted where it may hold the password."""
    with pytest.raises(DatabaseUrlInvalid) as refused:
        parse(url)
    error = refused.value
    shown = f"{error} {error!r} {error.render()} {error.as_json()} {error.__cause__!r}"
    assert "S3cret" not in shown
