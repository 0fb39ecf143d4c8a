package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/unhidra/unhidra/client"
)

// firmware uploads a file that an earlier upload broke off of.
func (k *contract) firmware(ctx context.Context) {
	var product, begun struct{ ID string }
	loose := client.New(k.URL)
	loose.SetTokens(k.ann.Tokens())
	k.must(loose.Do(ctx, "POST", "/firmware/products", map[string]string{"name": "oven"}, &product))
	const part = 1 << 20
	file := bytes.Repeat([]byte("firmware"), part/8*2+1) // two parts and 8 bytes
	sum := sha256.Sum256(file)
	k.must(loose.Do(ctx, "POST", "/firmware/products/"+product.ID+"/uploads",
		map[string]any{"kind": "raw", "size": len(file), "sha256": hex.EncodeToString(sum[:])}, &begun))
	k.must(loose.Do(ctx, "PUT", "/firmware/uploads/"+begun.ID+"/parts/0", client.Bytes(file[:part]), nil))

	var sent []int64
	u, err := k.ann.UploadFirmware(ctx, product.ID, "raw", bytes.NewReader(file), int64(len(file)),
		func(n int64) { sent = append(sent, n) })
	k.called(err, "UploadFirmware")
	if u.ID != begun.ID || !slices.Equal(sent, []int64{part, 2 * part, 2*part + 8}) || u.Image == nil ||
		u.Image.Format != "raw" {
		k.Errorf("an upload that was gone on with: %+v, %v", u, sent)
	}
}
