# SPDX-License-Identifier: Apache-2.0
# How the JSON of MIMECheck is compared with the expectations: leaves with their types and contents, and the header's fields.
import base64


# A multipart whose boundary never comes is shown as a part of its own, so that nothing is hidden. It is no leaf in the sense of
# the suites, which compare what a multipart holds.
def leaves(found):
    leaves = [p for p in found["parts"] if not p["type"].startswith("multipart/")]
    return [(p["type"], p["filename"], base64.b64decode(p["b64"])) for p in leaves]


def head(found):
    return {"subject": found["subject"], "from": found["from"], "epoch": found["epoch"]}
