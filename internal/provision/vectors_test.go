package provision

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if h := hex.EncodeToString(got); h != want {
		t.Errorf("%s is %s, want %s", what, h, want)
	}
}

func sha(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func counting(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// Security 1 computes what Espressif's own client and an independent device have computed, byte for byte.
func TestSecurity1Vector(t *testing.T) {
	t.Parallel()
	client, err := ecdh.X25519().NewPrivateKey(counting(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	device := unhex(t, "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466")
	step := 0
	send := func(_ context.Context, body []byte) ([]byte, error) {
		step++
		if step == 1 {
			same(t, "the first message", body,
				"10015a25a20122"+"0a20"+"07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c")
			answer := message{}.bytes(2, device).bytes(3, counting(0, 16))
			return message{}.with(2, 1).bytes(11, message{}.with(1, 1).bytes(21, answer.encode()).encode()).encode(), nil
		}
		same(t, "the second message", body[len(body)-32:],
			"1660413d283b57846cabc05432015f000fcd4b61228bb3f923ab84fd905a3ab1")
		answer := message{}.bytes(3, unhex(t, "396a64d80de7b6a981ac10a6e54417ee4a4ace6bd89bb9535616c29479343184"))
		return message{}.with(2, 1).bytes(11, message{}.with(1, 3).bytes(23, answer.encode()).encode()).encode(), nil
	}
	s, err := security1(t.Context(), send, client, "abcd1234")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.seal([]byte{8, 0})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "what follows", got, "7bb8")
}

// Security 2 computes what Espressif's own client and an independent device have computed.
func TestSecurity2Vector(t *testing.T) {
	t.Parallel()
	salt := unhex(t, "036ee0c7bcb99eda59786bfeb0bc4a1e")
	same(t, "sha256(N)", sha(padded(srpN)), "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c")
	same(t, "sha256(v)", sha(Verifier("wifiprov", "abcd1234", salt)),
		"dfcd04d73a388e3619544c42f60bf78f5d48bea448850f88086012e5d6fd01cb")
	c := newSRP(func(b []byte) {
		copy(b, unhex(t, "e0b107f9f96f69a2b6165a2ac7ae551643a4240881e2c14a01e8e9a56212a39a"))
	})
	same(t, "sha256(A)", sha(c.public), "b1a962641c35af2e4922316287da40090058b6a664384bf34c3ffe603485083a")
	b := numberOf(unhex(t, "bfd79bee5730679daae2cb9af1636d0446509838c2474fffb5247d92ed89aa6c"))
	k := numberOf(hashOf(padded(srpN), padded(srpG)))
	device := numberOf(Verifier("wifiprov", "abcd1234", salt))
	device.Mul(device, k).Add(device, b.Exp(srpG, b, srpN)).Mod(device, srpN)
	same(t, "sha256(B)", sha(device.Bytes()), "303c1b55ab4d385d00151e42c5f9524fd017e3f2dd1d642e1e793840a51f9c8a")
	proof, err := c.prove("wifiprov", "abcd1234", salt, device.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "K", c.key, "9cca9910ed3a86c2070e0a889ffa93e59fdfc53dd377b5d7b4d02a55970bd608"+
		"e3184deef79cbe8c82edf5b34b765aaeba7022e89a02f30937174a3c5bc1dffa")
	same(t, "M1", proof, "86d3c0deb94ea9d5bf780c83ce36613c63bca0d6b9593bd60dd85b4d183dacce"+
		"40cd1eee889c2507ac70b03acc554310cb12d34dab95328c05a0045ec2b5ab81")
	same(t, "M2", c.expected, "e9b2b84ea748931088b8c801a55f3b261eaeac48a3d29a019e44b88d6eab3a47"+
		"300c17f09d3f7b4658da9d9a72fa69a3ae5a2b1cedb894ee5bcb66baff2cbabc")
	s, err := newSealed(c.key[:32], unhex(t, "010203040506070800000001"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.seal([]byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "GCM", got, "9ed3034b78cfecc00dd078479c5518a1f76977e2a0")
	for _, bad := range [][]byte{nil, {0}, padded(srpN), append(padded(srpN), 1)} {
		if _, err := c.prove("wifiprov", "abcd1234", salt, bad); err == nil {
			t.Errorf("a key of %d bytes, which is 0 modulo N, is taken", len(bad))
		}
	}
}

// A counter is not used twice: after the last one the session has ended, and so it has when an answer was changed.
func TestANonceIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	s, err := newSealed(counting(0, 32), unhex(t, "0102030405060708ffffffff"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.seal(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.seal(nil); err == nil {
		t.Error("the counter begins anew")
	}
	s, err = newSealed(counting(0, 32), counting(1, 12))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(counting(0, 20)); err == nil {
		t.Error("noise is opened")
	}
	if _, err := s.seal(nil); err == nil {
		t.Error("it goes on after noise")
	}
}

// No message of a device breaks who reads it.
func FuzzMessage(f *testing.F) {
	f.Add(message{}.with(2, 1).bytes(11, message{}.with(1, 1).bytes(21, nil).encode()).encode())
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		again, err := parse(m.encode())
		if err != nil || len(again) != len(m) {
			t.Errorf("%v: %v, %v", m, again, err)
		}
	})
}
