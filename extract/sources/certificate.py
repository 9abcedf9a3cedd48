"""A server's certificate that is not accepted: no missing answer, and asking again does not help."""

import ssl

from dlt.sources.helpers.requests import RequestException

from extract.errors import causes


class CertificateError(RequestException):
    """The certificate is not accepted; its text says why, without the URL."""

    def advice(self, prefix: str) -> str:
        """Returns what is wrong with an API of these settings, and what to do about it."""
        return (
            f"the certificate of its server is not accepted: {self}. Check the host in {prefix}_URL, or set "
            "REQUESTS_CA_BUNDLE to a file with the CAs to trust"
        )


def certificate_error(error: BaseException) -> CertificateError | None:
    """Returns the fault of a certificate that an error of requests comes from, if it comes from one."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(cause.verify_message)
    return None
