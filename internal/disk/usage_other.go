//go:build !unix

package disk

import (
	"errors"

	"github.com/unhidra/unhidra/internal/domain"
)

// Use fails: we know no way to ask this system.
func Use(string) (domain.DiskUse, error) { return domain.DiskUse{}, errors.ErrUnsupported }
