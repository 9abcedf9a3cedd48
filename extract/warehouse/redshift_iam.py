"""dlt's Redshift destination with temporary credentials, asked for afresh at each connection.

dlt 1.31 knows a fixed user and password only. Those of Redshift Serverless live for 900 to 3,600 seconds
(https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html), less than a long run,
and a credentials object of a subclass is coerced back by dlt unless the destination's configuration declares it.
"""

from dlt.common.configuration import configspec
from dlt.destinations.impl.redshift.configuration import RedshiftClientConfiguration, RedshiftCredentials
from dlt.destinations.impl.redshift.factory import redshift


@configspec(init=False)
class WorkgroupCredentials(RedshiftCredentials):
    """Credentials that are those of this process's own AWS identity in a Serverless workgroup."""

    workgroup: str = None  # type: ignore[assignment]  # dlt's configspecs default to None

    def to_native_representation(self) -> str:
        """Returns the connection string of one connection, with credentials that begin to live now.

        Raises:
            botocore.exceptions.ClientError: if AWS refuses them.
        """
        import boto3

        answer = boto3.client("redshift-serverless").get_credentials(
            workgroupName=self.workgroup, dbName=self.database, durationSeconds=900
        )
        self.username, self.password = answer["dbUser"], answer["dbPassword"]
        return super().to_native_representation()


@configspec
class RedshiftIamConfiguration(RedshiftClientConfiguration):
    """The destination's configuration, which declares the credentials so that dlt keeps them."""

    credentials: WorkgroupCredentials = None  # type: ignore[assignment]


class RedshiftIam(redshift):
    """dlt's Redshift destination for a workgroup's temporary credentials."""

    spec = RedshiftIamConfiguration  # type: ignore[assignment]  # narrower, as dlt resolves it

    @property
    def destination_type(self) -> str:
        """The one of dlt itself: only the sign-in differs."""
        return "dlt.destinations.redshift"
