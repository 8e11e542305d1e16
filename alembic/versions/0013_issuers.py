"""Who vouches for somebody: the issuer of their sign-in, beside the subject it knows them by.

Revision: 0013, after 0012

A subject is unique for its issuer alone (OpenID Connect Core 1.0). All sign-ins so far
were Google's. The column of the subject keeps the name that released versions use.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

GOOGLE = "https://accounts.google.com"


def upgrade() -> None:
    op.add_column("users", sa.Column("issuer", sa.Text(), server_default=GOOGLE, nullable=False))
    op.drop_constraint("uq_users_google_sub", "users", type_="unique")
    op.create_unique_constraint("uq_users_issuer_google_sub", "users", ["issuer", "google_sub"])


def downgrade() -> None:
    # A version that knows no issuers would take a subject of another one for Google's.
    op.execute(f"UPDATE users SET google_sub = NULL WHERE issuer <> '{GOOGLE}'")
    op.drop_constraint("uq_users_issuer_google_sub", "users", type_="unique")
    op.create_unique_constraint("uq_users_google_sub", "users", ["google_sub"])
    op.drop_column("users", "issuer")
