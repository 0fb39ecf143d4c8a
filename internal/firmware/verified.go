package firmware

import (
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

// verified keeps which manifests roots were found to stand for, since to check signatures takes longer than all else of
// an offer. Both are known by all of their bytes, so what was found stays true; what depends on the time is checked
// each time. It is safe for concurrent use.
type verified struct {
	mu    sync.Mutex
	known map[documents]stood
}

// documents are a root and a manifest, as their envelopes have them.
type documents struct{ root, manifest string }

// stood is what was found. Nobody changes it.
type stood struct {
	root     *manifest.Root
	manifest *manifest.Manifest
}

const verifiedMost = 256 // releases; there are a few that are being rolled out

// check returns a root and the manifest that it stands for; err says why it does not. What fails is not kept.
func (v *verified) check(root, of []byte) (stood, error) {
	key := documents{string(root), string(of)}
	v.mu.Lock()
	found, ok := v.known[key]
	v.mu.Unlock()
	if ok {
		return found, nil
	}
	var err error
	if found.root, err = readRoot(root); err != nil {
		return stood{}, err
	}
	e, err := manifest.Parse(of)
	if err != nil {
		return stood{}, domain.Conflict.Errorf(domain.CodeNotSigned, "nobody has signed the release").Because(err)
	}
	if found.manifest, err = found.root.Manifest(e); err != nil {
		return stood{}, domain.Conflict.Errorf(domain.CodeNotSigned, "%s", err.Error())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) >= verifiedMost {
		v.known = make(map[documents]stood)
	}
	v.known[key] = found
	return found, nil
}
