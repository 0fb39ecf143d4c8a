package espimage

import "math/big"

// The curve P-192 (SEC 2, secp192r1), with which some chips still verify images. All that happens here is
// public, so nothing needs constant time.
var (
	p192P = hexNumber("fffffffffffffffffffffffffffffffeffffffffffffffff")
	p192N = hexNumber("ffffffffffffffffffffffff99def836146bc9b1b4d22831")
	p192B = hexNumber("64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1")
	p192G = point{hexNumber("188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012"),
		hexNumber("07192b95ffc8da78631011ed6b24cdd573f977a11e794811")}
)

// A point has no coordinates at infinity.
type point struct{ x, y *big.Int }

func hexNumber(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic(s)
	}
	return n
}

// p192Verify verifies a signature of ECDSA (FIPS 186-5, section 6.4.2).
func p192Verify(x, y *big.Int, digest []byte, r, s *big.Int) bool {
	key := point{x, y}
	inside := func(n, end *big.Int) bool { return n.Sign() > 0 && n.Cmp(end) < 0 }
	if !inside(r, p192N) || !inside(s, p192N) || !key.onCurve() {
		return false
	}
	e := new(big.Int).SetBytes(digest[:24])
	w := new(big.Int).ModInverse(s, p192N)
	u1, u2 := new(big.Int).Mul(e, w), new(big.Int).Mul(r, w)
	sum := p192G.times(u1.Mod(u1, p192N)).plus(key.times(u2.Mod(u2, p192N)))
	return sum.x != nil && new(big.Int).Mod(sum.x, p192N).Cmp(r) == 0
}

func (p point) onCurve() bool {
	if p.x.Cmp(p192P) >= 0 || p.y.Cmp(p192P) >= 0 {
		return false
	}
	left := new(big.Int).Mul(p.y, p.y)
	right := new(big.Int).Mul(p.x, p.x)
	right.Sub(right, big.NewInt(3)).Mul(right, p.x).Add(right, p192B)
	return left.Mod(left, p192P).Cmp(right.Mod(right, p192P)) == 0
}

func (p point) times(n *big.Int) (sum point) {
	for i := n.BitLen() - 1; i >= 0; i-- {
		sum = sum.plus(sum)
		if n.Bit(i) == 1 {
			sum = sum.plus(p)
		}
	}
	return sum
}

func (p point) plus(q point) point {
	if p.x == nil {
		return q
	}
	if q.x == nil {
		return p
	}
	over, under := new(big.Int).Sub(q.y, p.y), new(big.Int).Sub(q.x, p.x)
	if p.x.Cmp(q.x) == 0 {
		if p.y.Cmp(q.y) != 0 || p.y.Sign() == 0 {
			return point{}
		}
		over.Mul(p.x, p.x).Mul(over, big.NewInt(3)).Sub(over, big.NewInt(3))
		under.Lsh(p.y, 1)
	}
	under.Mod(under, p192P)
	slope := over.Mul(over, under.ModInverse(under, p192P))
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, p192P)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, slope).Sub(y, p.y).Mod(y, p192P)
	return point{x, y}
}
