"""A SAML 2.0 identity provider for tests: it answers a request with what it is
told to say of somebody, signed by xmlsec1."""
import base64
import datetime
import os
import subprocess
import tempfile
import urllib.parse
import uuid
import xml.etree.ElementTree as ET
import zlib

P = "urn:oasis:names:tc:SAML:2.0:protocol"
A = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
ENC = "http://www.w3.org/2001/04/xmlenc#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SIGNATURE = f"""<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="{C14N}"/>
<ds:SignatureMethod Algorithm="{MORE}rsa-sha256"/>
<ds:Reference URI="#%s"><ds:Transforms>
<ds:Transform Algorithm="{DS}enveloped-signature"/>
<ds:Transform Algorithm="{C14N}"/></ds:Transforms>
<ds:DigestMethod Algorithm="{ENC}sha256"/><ds:DigestValue/></ds:Reference>
</ds:SignedInfo><ds:SignatureValue/>
<ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>"""


def key_pair(folder, name):
    """A key and a certificate of its own; their names."""
    key, cert = (os.path.join(folder, name + end) for end in (".key", ".cert"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
         key, "-out", cert, "-days", "2", "-subj", "/CN=" + name], check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return key, cert


def minutes(n):
    at = datetime.datetime.now(datetime.timezone.utc)
    return (at + datetime.timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%SZ")


class IdP:
    entity = "https://saml.acme.example/idp"
    sso = "https://saml.acme.example/sso"

    def __init__(self, folder):
        self.dir = folder
        self.pair, self.other = key_pair(folder, "idp"), key_pair(
            folder, "another")
        with open(self.pair[1]) as f:
            cert = "".join(line for line in f if "-----" not in line)
        with open(os.path.join(folder, "idp.xml"), "w") as f:
            f.write(f"""<EntityDescriptor entityID="{self.entity}"
 xmlns="urn:oasis:names:tc:SAML:2.0:metadata">
<IDPSSODescriptor protocolSupportEnumeration="{P}">
<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data>
<ds:X509Certificate>{cert}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
</KeyDescriptor><NameIDFormat>{PERSISTENT}</NameIDFormat>
<SingleSignOnService Location="{self.sso}"
 Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"/>
</IDPSSODescriptor></EntityDescriptor>
""")

    def asked(self, url):
        """What stands in the address somebody was led to."""
        assert url.startswith(self.sso + "?"), url
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        request = ET.fromstring(zlib.decompress(
            base64.b64decode(query["SAMLRequest"]), -15))
        return {"id": request.get("ID"),
                "acs": request.get("AssertionConsumerServiceURL"),
                "sp": request.findtext(f"{{{A}}}Issuer"),
                "format": request.find(f"{{{P}}}NameIDPolicy").get("Format"),
                "relay": query["RelayState"]}

    def answer(self, asked, subject, attributes, pair=None, change=None,
               minutes_left=5, **wrong):
        """The form that the provider's page posts.  ${wrong}: entity,
        audience or recipient to be other than they should; ${pair}: the key
        it is signed with (None: the provider's, (): none); ${change} is done
        to the text after that."""
        mine, name = "_" + uuid.uuid4().hex, "_" + uuid.uuid4().hex
        said = "".join(
            f'<Attribute Name="{k}" NameFormat="urn:oasis:names:tc:SAML:2.0:'
            'attrname-format:uri">' + "".join(
                f"<AttributeValue>{v}</AttributeValue>" for v in values) +
            "</Attribute>" for k, values in attributes.items())
        entity = wrong.get("entity", self.entity)
        acs = wrong.get("recipient", asked["acs"])
        to = asked["id"]
        text = f"""<samlp:Response xmlns:samlp="{P}" ID="{name}" Version="2.0"
 IssueInstant="{minutes(0)}" Destination="{acs}" InResponseTo="{to}"><Issuer
 xmlns="{A}">{entity}</Issuer><samlp:Status><samlp:StatusCode
 Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><Assertion
 xmlns="{A}" ID="{mine}" Version="2.0" IssueInstant="{minutes(0)}"><Issuer>{
entity}</Issuer>{"" if pair == () else SIGNATURE % mine}<Subject><NameID
 Format="{PERSISTENT}">{subject}</NameID><SubjectConfirmation
 Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData
 NotOnOrAfter="{minutes(minutes_left)}" Recipient="{acs}" InResponseTo="{to}"
/></SubjectConfirmation></Subject><Conditions NotBefore="{minutes(-60)}"
 NotOnOrAfter="{minutes(minutes_left)}"><AudienceRestriction><Audience>{
wrong.get("audience", asked["sp"])}</Audience></AudienceRestriction
></Conditions><AuthnStatement AuthnInstant="{minutes(0)}" SessionIndex="{mine}"
><AuthnContext><AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef
></AuthnContext></AuthnStatement><AttributeStatement>{said
}</AttributeStatement></Assertion></samlp:Response>"""
        if pair != ():
            text = self.signed(text, pair or self.pair)
        if change is not None:
            text = change(text)
        return urllib.parse.urlencode({
            "SAMLResponse": base64.b64encode(text.encode()).decode(),
            "RelayState": asked["relay"]})

    def signed(self, text, pair):
        with tempfile.NamedTemporaryFile("w", dir=self.dir,
                                         suffix=".xml") as f:
            f.write(text)
            f.flush()
            return subprocess.run(
                ["xmlsec1", "--sign", "--privkey-pem", ",".join(pair),
                 "--id-attr:ID", A + ":Assertion", f.name], check=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True).stdout
