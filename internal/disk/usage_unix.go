//go:build unix

package disk

import (
	"syscall"

	"github.com/unhidra/unhidra/internal/domain"
)

// Use returns how much room is on the disk of dir, of which Free is what an ordinary user
// may take.
func Use(dir string) (domain.DiskUse, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return domain.DiskUse{}, err
	}
	block := uint64(s.Bsize) // the types differ between systems
	return domain.DiskUse{Free: uint64(s.Bavail) * block, Total: s.Blocks * block}, nil
}
