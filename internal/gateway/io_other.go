//go:build !unix

package gateway

// fill reads what has arrived into c.buf, and waits for that.
func (c *conn) fill() error { return c.fillBlocking() }

func (c *conn) readNow(uintptr) bool { return true }

// tryWrite cannot write without waiting here, and leaves it to a goroutine.
func (c *conn) tryWrite(*writer, []byte) (n int, again bool, err error) { return 0, true, nil }

func (w *writer) writeNow(uintptr) {}
