-- Tables of virtual users, as many of the well-known guides have them. For MariaDB and MySQL.

CREATE TABLE virtual_domains (
  name VARCHAR(255) CHARACTER SET ascii PRIMARY KEY
);

CREATE TABLE virtual_users (
  email       VARCHAR(320) PRIMARY KEY,         -- in lower case
  password    VARCHAR(255) NOT NULL,            -- "{SCHEME}hash", or as crypt(3) makes it: "$6$…", "$2y$…"
  quota_bytes BIGINT NOT NULL DEFAULT 0,        -- 0: no limit
  is_enabled  BOOLEAN NOT NULL DEFAULT TRUE,
  domain      VARCHAR(255) CHARACTER SET ascii NOT NULL,
  FOREIGN KEY (domain) REFERENCES virtual_domains (name) ON DELETE CASCADE
);

CREATE TABLE virtual_aliases (
  source      VARCHAR(320) NOT NULL,            -- "info@example.org", or "@example.org" for all that is nobody
  destination VARCHAR(320) NOT NULL,            -- one address a row
  PRIMARY KEY (source, destination)
);

CREATE TABLE sender_relays (
  sender VARCHAR(320) PRIMARY KEY,              -- "ann@example.org", or "@example.org"
  relay  VARCHAR(255) NOT NULL                  -- "[smtp.provider.example]:587"
);
