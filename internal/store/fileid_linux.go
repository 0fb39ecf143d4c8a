package store

import "golang.org/x/sys/unix"

// A fileID tells a file from all others on this machine.
type fileID struct{ dev, inode uint64 }

// identify returns the id of the file at path. It does not ask for the file's times: Linux has
// the next write to a file store a new time once somebody has seen the last one (since 6.13),
// which makes the fsync after it write more.
func identify(path string) (fileID, error) {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &s); err == nil {
		return fileID{unix.Mkdev(s.Dev_major, s.Dev_minor), s.Ino}, nil
	}
	var old unix.Stat_t // where a sandbox does not know statx
	if err := unix.Stat(path, &old); err != nil {
		return fileID{}, err
	}
	return fileID{uint64(old.Dev), old.Ino}, nil
}

func (f fileID) same(other fileID) bool { return f == other }
