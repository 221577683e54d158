# Makes the data base of an Active Directory domain controller: the domain example.test, nothing in it but what Samba
# brings, and an account for the bridge with the rights that an administrator would delegate to it.
#
# usage: provision.py FOLDER ADMINISTRATORS-PASSWORD ACCOUNT ACCOUNTS-PASSWORD
#
# `samba-tool domain provision` does the same, but insists on setting owners and access lists of the shared folder
# sysvol. That takes root and file system modules, and LDAP has no use for it.
import logging
import os
import sys

import samba.dsdb
from samba import param
from samba.auth import system_session
from samba.provision import provision
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

USER = "bf967aba-0de6-11d0-a285-00aa003049e2"
GROUP = "bf967a9c-0de6-11d0-a285-00aa003049e2"
RESET_PASSWORD = "00299570-246d-11d0-a768-00aa006e0529"


def make_domain(folder, password):
    os.makedirs(os.path.join(folder, "etc"))
    conf = os.path.join(folder, "etc", "smb.conf")
    # An empty file of our own: the machine's /etc/samba/smb.conf stays out of it.
    open(conf, "w").close()
    lp = param.LoadParm()
    lp.load(conf)
    for name, value in [("interfaces", "127.0.0.1/8"), ("bind interfaces only", "yes"), ("ldb:nosync", "true")]:
        lp.set(name, value)
    log = logging.getLogger("provision")
    log.addHandler(logging.StreamHandler(sys.stderr))
    provision(log, system_session(), lp=lp, smbconf=conf, targetdir=folder, realm="EXAMPLE.TEST", domain="EXAMPLE",
              hostname="dc1", hostip="127.0.0.1", adminpass=password, serverrole="dc", dns_backend="NONE",
              dom_for_fun_level=samba.dsdb.DS_DOMAIN_FUNCTION_2008_R2, skip_sysvolacl=True)
    return SamDB(os.path.join(folder, "private", "sam.ldb"), session_info=system_session(), lp=lp)


def relax(samdb):
    """Passwords that never expire, and may be changed at once: the data base may be used for months."""
    lines = ["dn: %s" % samdb.domain_dn(), "changetype: modify"]
    for name in ["maxPwdAge", "minPwdAge", "pwdHistoryLength"]:
        lines += ["replace: %s" % name, "%s: 0" % name, "-"]
    samdb.modify_ldif("\n".join(lines + [""]))


def delegate(samdb, account, password):
    """Users and groups anywhere in the domain: create, delete, change, reset passwords. Nothing else."""
    samdb.newuser(account, password)
    found = samdb.search(expression="(sAMAccountName=%s)" % account, attrs=["objectSid"])
    sid = samdb.schema_format_value("objectSid", found[0]["objectSid"][0]).decode()
    descriptor = SDUtils(samdb)
    for ace in [
            "(OA;CI;CCDC;%s;;%s)" % (USER, sid),
            "(OA;CI;CCDC;%s;;%s)" % (GROUP, sid),
            "(OA;CIIO;RPWPSD;;%s;%s)" % (USER, sid),
            "(OA;CIIO;RPWPSD;;%s;%s)" % (GROUP, sid),
            "(OA;CIIO;CR;%s;%s;%s)" % (RESET_PASSWORD, USER, sid),
    ]:
        descriptor.dacl_add_ace(samdb.domain_dn(), ace)


def main():
    folder, password, account, account_password = sys.argv[1:]
    samdb = make_domain(folder, password)
    relax(samdb)
    delegate(samdb, account, account_password)


main()
