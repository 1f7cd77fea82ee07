# SPDX-License-Identifier: BSD-2-Clause
"""The cluster that the tests of a fleet stand on does what it says."""

import pytest

from bed_etcd import Etcd, Refused


def test_plain_member_keeps_its_data_over_a_kill():
    with Etcd() as etcd:
        first = etcd.put("/m/a", "one")
        assert etcd.put("/m/a", b"two\xff") == first + 1
        assert [kv.value for kv in etcd.history("/m/a")] == [b"one",
                                                             b"two\xff"]
        etcd.kill(0)
        etcd.restart(0)
        assert etcd.get("/m/a").value == b"two\xff"
        assert list(etcd.list("/m/")) == ["/m/a"]
        etcd.compact()
        assert len(etcd.history("/m/a")) == 1
        assert etcd.delete("/m/", prefix=True) == 1
        assert etcd.get("/m/a") is None


def test_three_members_with_tls_lose_the_leader():
    with Etcd(3, client_certificates=True) as etcd:
        etcd.authenticate("/m/")
        etcd.put("/m/a", "one")
        lost = etcd.leader()
        etcd.kill(lost)
        etcd.put("/m/a", "two")
        assert etcd.leader() != lost
        etcd.restart(lost)
        etcd.move_leader(lost)
        assert etcd.leader() == lost
        assert etcd.get("/m/a").value == b"two"
        with pytest.raises(Refused):
            etcd.call("kv/range", anonymous=True, key="AAAA")
        etcd.change_password()


def test_a_quota_that_is_used_up():
    with Etcd(quota=4 << 20) as etcd:
        etcd.fill()
        with pytest.raises(Refused):
            etcd.put("/m/a", "one")
        etcd.make_room()
        etcd.put("/m/a", "one")
        etcd.alarm(True)
        with pytest.raises(Refused):
            etcd.put("/m/a", "two")
        etcd.alarm(False)
        etcd.put("/m/a", "two")
