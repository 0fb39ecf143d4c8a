//go:build !unix

package mqtt

func (c *conn) fill() error { return c.fillBlocking() }

func (c *conn) readNow(uintptr) bool { return true }

func (c *conn) writeOnce([]byte) (int, error) { return 0, nil }
