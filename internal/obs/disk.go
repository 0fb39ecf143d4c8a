package obs

// Disk is the room on a disk.
type Disk struct {
	Free, Total uint64 // bytes; Free is what an ordinary user may take
}
