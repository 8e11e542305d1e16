"""The version of AIMS: in the API's description, and in backups."""

VERSION = "0.4.0"
