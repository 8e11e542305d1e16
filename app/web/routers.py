"""The pages of the console, by rooms."""

from app.web.frame import assets
from app.web.frame.missing import router as missing
from app.web.signin import sign_in

# `missing` answers for every other address, so it comes last.
ROUTERS = (
    sign_in.router,
    sign_in.signed_in_router,
    assets.router,
    missing,
)
