"""`/auth`: exchange Google's ID token for one of ours."""

from fastapi import APIRouter, Request

from app.auth.dependencies import Db, JsonRoute
from app.auth.rates import rates_of
from app.errors import NotSignedIn
from app.routes.answers import problems_of
from app.schemas.auth import GoogleSignIn, SignedInUser, SignIn
from app.services.people import student_accounts

router = APIRouter(prefix="/auth", tags=["Sign-in"], route_class=JsonRoute)


@router.post(
    "/google",
    operation_id="signIn",
    summary="Sign in with Google",
    responses=problems_of(400, 401, 403, 413, 415, 422),
)
async def sign_in(body: GoogleSignIn, request: Request, db: Db) -> SignIn:
    """Exchange the ID token that Google gave the app for a token of this API.

    401: the ID token is invalid or expired; sign in with Google again. 403: the account is not
    allowed here. Where students can sign in, their `role` is `student`.
    """
    state = request.app.state
    try:
        identity = await state.google.verify(body.id_token)
    except NotSignedIn:
        await rates_of(request).count_failed_sign_in(request)
        raise
    user = await student_accounts.sign_in(
        db,
        **vars(identity),
        students=state.settings.student_sign_in,
        request_id=request.state.request_id,
    )
    token, expires_at = state.tokens.issue(user.id)
    return SignIn(
        token=token,
        expires_at=expires_at,
        user=SignedInUser(id=user.id, email=user.email, name=user.name, role=user.role),
    )
