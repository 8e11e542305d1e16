"""What all tables share: constraint names, and ids and timestamps with server defaults."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, MetaData, Text, func
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {str: Text, datetime: DateTime(timezone=True)}
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


Id = Annotated[UUID, mapped_column(server_default=func.gen_random_uuid())]
OwnId = Annotated[UUID, mapped_column(primary_key=True, server_default=func.gen_random_uuid())]
Now = Annotated[datetime, mapped_column(server_default=func.now())]
