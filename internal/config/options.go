package config

import "time"

// An option joins a field to its names. Names without the UNHIDRA_ prefix are
// those of the first generation, or of everybody's, and stay as they are.
type option struct {
	group  string
	env    string // also the key in the file
	flag   string // empty: not a flag
	def    string
	doc    string
	secret bool // also as NAME_FILE; not a flag, since others see a process's arguments
	set    func(string) error
}

// options is the one table. Every row has an effect: a setting that does
// nothing would be a lie.
func (c *Config) options() []option {
	const (
		server  = "Server"
		listen  = "Listening"
		account = "Accounts"
		secure  = "HTTPS"
		mails   = "Mail and CAPTCHA"
		browser = "Browsers and proxies"
		limits  = "Limits"
		keeps   = "How long messages are kept"
		audits  = "Audit log"
		backups = "Backups"
		models  = "Models"
		logs    = "Log and shutdown"
	)
	return []option{
		{server, "UNHIDRA_NAME", "name", "Unhidra", "name of the server, as people see it", false, text(&c.Name, 1, 60)},
		{server, "UNHIDRA_DATA_DIR", "data-dir", "./data",
			"folder of all data of the server: database, files, server key", false,
			str(&c.DataDir)},
		{server, "AUTH_DB_PATH", "db", "", "SQLite file; empty: `unhidra.db` in the data folder", false, str(&c.DBPath)},
		{server, "DATABASE_URL", "", "",
			"PostgreSQL instead of SQLite: `postgres://user:password@host/database`; wins over AUTH_DB_PATH", true,
			postgres(&c.DatabaseURL)},
		{server, "UNHIDRA_DATABASE_CONNECTIONS", "", "20",
			"maximum number of connections of this process to PostgreSQL; all nodes together must stay below its " +
				"`max_connections`. When all are in use, requests wait for a free one", false,
			num(&c.DatabaseConnections, 6, 1000)},
		{server, "UNHIDRA_ROLES", "roles", "all",
			"what this process does: `all`, or some of `auth` (the account API), `gateway` (web client, REST API, " +
				"WebSocket), `worker` (background work: mails, receivers of the audit log, retention)", false,
			roles(&c.Roles)},
		{server, "NATS_URL", "", "",
			"NATS servers, separated by commas, by which several nodes on one PostgreSQL notify each other: " +
				"`nats://user:password@a:4222, nats://b:4222`; `tls://` for TLS. Certificates and credentials follow a " +
				"question mark: `tls://a:4222?ca=ca.pem&cert=node.pem&key=node.key`, or `creds=` or `nkey=`. Empty: this " +
				"process is the only node", true,
			nats(&c.NATS)},
		{server, "UNHIDRA_S3_URL", "", "",
			"S3-compatible service and bucket for files (for now the pictures of people): " +
				"`https://s3.example.org/bucket`, or `https://s3.example.org/bucket/prefix`; the bucket must exist. " +
				"Empty: with SQLite the folder `files` in the data folder, with PostgreSQL the database", false,
			bucket(&c.S3)},
		{server, "UNHIDRA_S3_REGION", "", "us-east-1", "region of the bucket", false, str(&c.S3.Region)},
		{server, "UNHIDRA_S3_KEY", "", "",
			"id of the access key to the bucket; it needs to list the bucket, and to read, write and delete objects", false,
			str(&c.S3.Key)},
		{server, "UNHIDRA_S3_SECRET", "", "", "secret of this access key", true, secret(&c.S3.Secret)},

		{listen, "GATEWAY_PORT", "port", "9000", "port of the web client, the REST API and the WebSocket; 0: any free one",
			false, num(&c.GatewayPort, 0, 65535)},
		{listen, "UNHIDRA_BIND_ADDR", "bind", "",
			"address that this port is opened on; empty: all of the machine's; `127.0.0.1`: this machine only", false,
			host(&c.BindAddr)},
		{listen, "AUTH_BIND_ADDR", "auth-addr", "",
			"additional listener for only the account API; empty: none, or `0.0.0.0:9200` where `auth` runs as a role " +
				"of its own", false,
			addr(&c.AuthAddr)},
		{listen, "UNHIDRA_OPERATOR_ADDR", "operator-addr", "127.0.0.1:9010",
			"listener for `/metrics`, `/stats` and profiles; `off`: none. It asks for no password: keep it off the network",
			false, addr(&c.OperatorAddr)},
		{listen, "UNHIDRA_OPERATOR_HOSTS", "", "",
			"additional host names, separated by commas, that requests to the operator listener may use: " +
				"`metrics.example.org`. IP addresses, `localhost` and names without a dot are always accepted; others are " +
				"refused, against DNS rebinding", false,
			hostNames(&c.OperatorHosts)},
		{listen, "UNHIDRA_MQTT_ADDR", "mqtt-addr", "127.0.0.1:1883",
			"listener for [MQTT](mqtt.md) without encryption; `off`: none. Elsewhere than on this machine the keys of devices " +
				"can be read on the way. If nothing is set and the port is in use by another program, there is none", false,
			addr(&c.MQTT.Addr)},
		{listen, "UNHIDRA_MQTT_TLS_ADDR", "mqtt-tls-addr", "",
			"listener for MQTT with TLS, by the certificate of the public listener or the next two settings: `:8883`; " +
				"empty: none", false,
			addr(&c.MQTT.TLSAddr)},
		{listen, "UNHIDRA_MQTT_TLS_CERT", "mqtt-tls-cert", "",
			"PEM file of a certificate and its chain for MQTT alone, for a server whose proxy ends TLS for browsers; a " +
				"changed file is loaded without a restart", false,
			str(&c.MQTT.Cert)},
		{listen, "UNHIDRA_MQTT_TLS_KEY", "mqtt-tls-key", "", "PEM file of its key", false, str(&c.MQTT.Key)},
		{listen, "UNHIDRA_DEVICE_CA", "device-ca", "",
			"PEM file of the CA whose certificates devices may prove themselves by instead of a key, by MQTT and WebSocket " +
				"with TLS: `/etc/unhidra/device-ca/ca.pem`, see `unhidra device ca`; empty: by keys alone", false, str(&c.DeviceCA)},
		{listen, "UNHIDRA_MQTT_URL", "mqtt-url", "",
			"where devices reach MQTT, if not at the host of the public URL and the listener's port: " +
				"`mqtts://mqtt.example.org:8883`, or `mqtt://` without TLS. The web client tells it to whoever registers a device",
			false, mqttURL(&c.MQTT.URL)},
		{listen, "UNHIDRA_PUBLIC_URL", "public-url", "",
			"URL that people reach the server at; empty: `http://localhost` and the port. Links start with it, and " +
				"with https cookies are Secure", false,
			base(&c.PublicURL)},

		{account, "UNHIDRA_SERVER_KEY", "", "",
			"key that protects secrets in the database, 32 bytes or more; it must never change. Empty: a strong one " +
				"is created at the first start and stored in the data folder (`server.key`, mode 0600). All servers on " +
				"one database need the same key", true,
			signingKey(&c.ServerKey)},
		{account, "JWT_SECRET", "", "",
			"key that signs access tokens, 32 bytes or more; empty: one derived from the server's key", true,
			signingKey(&c.JWTSecret)},
		{account, "JWT_SECRETS_OLD", "", "",
			"former values of JWT_SECRET, separated by commas, whose tokens are still accepted. To change JWT_SECRET " +
				"without signing anyone out, keep the old value here until its tokens have expired", true,
			signingKeys(&c.JWTSecretsOld)},
		{account, "JWT_ALG", "", "HS256",
			"`HS256`; or `EdDSA`: access tokens are signed with an Ed25519 key derived from JWT_SECRET, whose public half is " +
				"on `/.well-known/jwks.json` for others to verify them with", false, oneOf(&c.JWTAlg, "HS256", "EdDSA")},
		{account, "UNHIDRA_REGISTRATION", "registration", "open",
			"`open`: anyone who reaches the server may register; `invite`: only with an invitation from an " +
				"administrator; `closed`: only the operator creates accounts (`unhidra user create`). Administrators can " +
				"change it while the server runs", false,
			oneOf(&c.Registration, "open", "invite", "closed")},
		{account, "UNHIDRA_REQUIRE_SECOND_FACTOR", "", "none",
			"who must have a second factor: `none`, `admins`, `everyone`. Administrators can change it while the server runs",
			false, oneOf(&c.SecondFactor, "none", "admins", "everyone")},
		{account, "UNHIDRA_OIDC_ISSUER", "", "",
			"OpenID provider that people may sign in with, exactly as its issuer name: `https://id.example.org`; " +
				"empty: none. Register `<public URL>/signed-in` there as the redirect URI", false,
			str(&c.OIDC.Issuer)},
		{account, "UNHIDRA_OIDC_CLIENT_ID", "", "",
			"client id of this server at the provider", false,
			str(&c.OIDC.ClientID)},
		{account, "UNHIDRA_OIDC_CLIENT_SECRET", "", "",
			"client secret from the provider; empty: none, the code exchange is protected by PKCE alone", true,
			secret(&c.OIDC.Secret)},
		{account, "UNHIDRA_OIDC_LABEL", "", "OpenID", "name of the provider on the button", false, str(&c.OIDC.Label)},
		{account, "UNHIDRA_SESSION_IDLE", "", "168h",
			"a session expires when it is not used for this long", false,
			dur(&c.SessionIdle, time.Minute, 8760*time.Hour)},
		{account, "UNHIDRA_SESSION_MAX", "", "720h",
			"every session expires after this long, even when it is used", false,
			dur(&c.SessionMax, time.Minute, 8760*time.Hour)},
		{account, "UNHIDRA_PASSWORD_MIN", "password-min", "15",
			"minimum length of a password, in characters", false,
			num(&c.PasswordMin, 8, 64)},

		{secure, "UNHIDRA_ACME_DOMAINS", "acme-domains", "",
			"domain names, separated by commas, that the server obtains and renews certificates for (HTTP-01 on port " +
				"80, TLS-ALPN-01 on port 443); setting it accepts the terms of the ACME server", false,
			domains(&c.TLS.Domains)},
		{secure, "UNHIDRA_ACME_EMAIL", "", "",
			"contact address for the ACME server", false,
			str(&c.TLS.Email)},
		{secure, "UNHIDRA_ACME_DIRECTORY", "", "https://acme-v02.api.letsencrypt.org/directory",
			"the ACME server; for testing `https://acme-staging-v02.api.letsencrypt.org/directory`, whose " +
				"certificates browsers do not trust", false,
			directory(&c.TLS.Directory)},
		{secure, "UNHIDRA_ACME_CA_FILE", "", "",
			"PEM file of the certificate authority that the ACME server itself is trusted by; empty: the system's", false,
			str(&c.TLS.CAFile)},
		{secure, "UNHIDRA_TLS_CERT", "tls-cert", "",
			"instead of ACME: PEM file of a certificate and its chain; a changed file is loaded without a restart", false,
			str(&c.TLS.Cert)},
		{secure, "UNHIDRA_TLS_KEY", "tls-key", "", "PEM file of its key", false, str(&c.TLS.Key)},
		{secure, "UNHIDRA_HTTP_ADDR", "http-addr", "auto",
			"plain listener that answers HTTP-01 and redirects everything else to https; `auto`: port 80 with " +
				"UNHIDRA_ACME_DOMAINS, none otherwise; `off`: none", false, httpAddr(&c.TLS.HTTPAddr)},

		{secure, "UNHIDRA_HSTS_SUBDOMAINS", "", "off",
			"`on`: browsers use https for all subdomains as well, for a year (HSTS `includeSubDomains`); only if all " +
				"of them support it", false,
			onOff(&c.TLS.Subdomains)},

		{mails, "UNHIDRA_SMTP_URL", "", "",
			"mail server: `smtps://user:password@host:465` (TLS), or `smtp://user:password@host:587` (STARTTLS, which " +
				"the server must then offer; `?tls=off` does without, on a network that you trust). With one, new " +
				"accounts confirm their e-mail address, forgotten passwords can be reset, and people are notified of " +
				"changes to their account; empty: none of that", true,
			smtpURL(&c.Mail.SMTP)},
		{mails, "UNHIDRA_SMTP_CA_FILE", "", "",
			"PEM file of a certificate authority to trust for the mail server, in addition to the system's", false,
			str(&c.Mail.CAFile)},
		{mails, "UNHIDRA_MAIL_FROM", "", "",
			"sender of these mails: `Unhidra <chat@example.org>`; needed with UNHIDRA_SMTP_URL", false, sender(&c.Mail.From)},
		{mails, "UNHIDRA_CAPTCHA", "", "pow",
			"CAPTCHA at registration, at a password reset, and at sign-in after failures. `pow`: the browser solves a " +
				"short computation, without a third party; `turnstile`, `hcaptcha`, `recaptcha` (v2), `recaptcha3` (v3): " +
				"that provider, which sees the visitors; `off`: none", false,
			oneOf(&c.Captcha.Kind, "pow", "turnstile", "hcaptcha", "recaptcha", "recaptcha3", "off")},
		{mails, "UNHIDRA_CAPTCHA_SITE_KEY", "", "",
			"public key from the CAPTCHA provider", false,
			str(&c.Captcha.SiteKey)},
		{mails, "UNHIDRA_CAPTCHA_SECRET", "", "",
			"secret key from the CAPTCHA provider", true,
			secret(&c.Captcha.Secret)},

		{browser, "ALLOWED_ORIGINS", "allowed-origins", "",
			"origins, separated by commas, whose pages may open a WebSocket or send requests: `https://chat.example.org`; " +
				"empty: only the server's own", false, origins(&c.AllowedOrigins)},
		{browser, "UNHIDRA_TRUSTED_PROXIES", "trusted-proxies", "",
			"networks, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are trusted: `127.0.0.1, " +
				"10.0.0.0/8`; empty: none", false,
			networks(&c.TrustedProxies)},
		{browser, "UNHIDRA_PRIVATE_NETWORKS", "", "",
			"private networks, separated by commas, that the server may reach at addresses which users name: those of push " +
				"services, such as one for UnifiedPush at home, of outgoing webhooks (`10.0.0.0/8`), and of pages that get a " +
				"preview; empty: public addresses alone", false,
			networks(&c.PrivateNetworks)},
		{browser, "UNHIDRA_LINK_PREVIEWS", "", "off",
			"`on`: rooms may show [previews](previews.md) of the pages that messages link to, which the server loads; their " +
				"owners and admins switch them on", false,
			onOff(&c.LinkPreviews)},
		{browser, "UNHIDRA_PROXY_PROTOCOL", "", "off",
			"`on`: connections from UNHIDRA_TRUSTED_PROXIES begin with a PROXY protocol header (version 1 or 2) that " +
				"names the client; connections from elsewhere have none. `mqtt`: those for MQTT alone, because the proxy tells " +
				"the client of HTTP in a header", false,
			proxyProtocol(&c.TLS.ProxyProtocol, &c.MQTT.ProxyProtocol)},

		{limits, "RATE_LIMIT_LOGIN_PER_MINUTE", "", "10",
			"sign-in attempts from one address in a minute", false,
			num(&c.LoginPerMinute, 1, 1_000_000)},
		{limits, "RATE_LIMIT_LOGIN_BURST", "", "15",
			"how many of these may come at once", false,
			num(&c.LoginBurst, 1, 1_000_000)},
		{limits, "RATE_LIMIT_REGISTER_PER_HOUR", "", "30",
			"accounts created from one address in an hour, not counting invited ones", false,
			num(&c.RegisterPerHour, 1, 1_000_000)},
		{limits, "RATE_LIMIT_IP_PER_MINUTE", "", "60",
			"refused WebSockets (such as with a bad token) from one address in a minute; further ones must wait, " +
				"while valid tokens are still accepted. For this and other limits an IPv6 address counts as its /64, and " +
				"the /48 around it may do 16 times as much", false,
			num(&c.IPPerMinute, 1, 1_000_000)},
		{limits, "RATE_LIMIT_USER_PER_MINUTE", "", "30",
			"WebSockets that one user may open in a minute. Counted apart, as often: rooms, invitations and devices made or " +
				"changed; profile and status; changes of the own sign-in. Joining, leaving, topics, roles, mutes and bans: twice " +
				"as often. All users of one address: ten times as often as one; all who join or change one room: twenty times",
			false, num(&c.UserPerMinute, 1, 1_000_000)},
		{limits, "RATE_LIMIT_MESSAGES_PER_SEC", "", "50",
			"requests on one WebSocket in a second; a user has twice as many over all of theirs", false,
			num(&c.MessagesPerSec, 1, 1_000_000)},
		{limits, "UNHIDRA_ROOMS_PER_USER", "", "1000",
			"rooms, including direct conversations, that one user may be in; 0: no limit", false,
			num(&c.RoomsPerUser, 0, 1_000_000)},
		{limits, "UNHIDRA_ROOMS_MADE_PER_USER", "", "200",
			"rooms that one user may create; deleted ones do not count; 0: no limit", false,
			num(&c.RoomsCreated, 0, 1_000_000)},
		{limits, "UNHIDRA_MEMBERS_PER_ROOM", "", "50000",
			"members of one room; 0: no limit", false,
			num(&c.RoomMembers, 0, 10_000_000)},
		{limits, "UNHIDRA_ROOM_REQUESTS", "", "strangers",
			"who must ask before adding somebody to a room or starting a direct conversation with them: `strangers`, " +
				"who share no room with that person; `everyone`; `nobody`. Each person may choose for themselves; " +
				"administrators and invitation links never ask", false,
			oneOf(&c.RoomRequests, "strangers", "everyone", "nobody")},
		{limits, "UNHIDRA_USER_STORAGE", "", "1024",
			"MiB of messages that one user and their devices may store, including earlier versions of edited ones; " +
				"each counts 512 bytes besides its text. It is added up every ten minutes, so that a little more may come " +
				"in; 0: no limit", false,
			num(&c.UserStorage, 0, 1<<30)},
		{limits, "UNHIDRA_FILE_SIZE", "", "100",
			"MiB of one file that somebody posts; 0: nobody can upload files", false, num(&c.FileSize, 0, 10_000)},
		{limits, "UNHIDRA_FILE_STORAGE", "", "5120",
			"MiB of files that one user may store, those of open uploads included; files of deleted messages no longer " +
				"count; 0: no limit", false, num(&c.FileStorage, 0, 1<<30)},
		{limits, "UNHIDRA_KEEP_FILES", "", "0",
			"days for which files of messages are kept, if their messages are kept for longer; files of rooms under a legal " +
				"hold stay; 0: as long as their messages", false, num(&c.KeepFiles, 0, 36500)},
		{limits, "UNHIDRA_CLAMD_ADDR", "", "",
			"`HOST:PORT`, or the path of a socket, of ClamAV's clamd, which is to scan files of messages for viruses; empty: " +
				"they are not scanned", false, str(&c.Clamd)},
		{limits, "UNHIDRA_CLAMD_AWAY", "", "refuse",
			"what becomes of files that it cannot scan, because it is away or they are larger than its StreamMaxLength: " +
				"`refuse`, or `allow`", false, oneOf(&c.ClamdAway, "refuse", "allow")},
		{limits, "UNHIDRA_FIRMWARE_STORAGE", "", "4096",
			"MiB of images, and of files to debug them, that the products and uploads of one user may have; a file counts " +
				"once; 0: no limit", false, num(&c.FirmwareStorage, 0, 1<<30)},
		{limits, "UNHIDRA_FIRMWARE_LINKS", "", "",
			"where devices load firmware from: the URL of a CDN in front of this server, such as " +
				"`https://cdn.example.org`; `s3`: the bucket of UNHIDRA_S3_URL, by presigned URLs, if devices reach it; empty: " +
				"this server", false,
			links(&c.FirmwareLinks)},
		{limits, "UNHIDRA_FIRMWARE_RATE", "", "0",
			"KiB a second that this server sends of firmware, in all downloads together; 0: no limit", false,
			num(&c.FirmwareRate, 0, 1<<30)},
		{limits, "UNHIDRA_FIRMWARE_SITE_RATE", "", "0",
			"KiB a second that it sends to one address, such as a house or an office; 0: no limit", false,
			num(&c.FirmwareSite, 0, 1<<30)},
		{limits, "UNHIDRA_FIRMWARE_PRODUCT_RATE", "", "0",
			"KiB a second that it sends of the firmware of one product, to all its devices together; 0: no limit", false,
			num(&c.FirmwareProduct, 0, 1<<30)},
		{limits, "UNHIDRA_ROLLOUT_EVERY", "", "5s",
			"how often rollouts go on: the server decides then which devices are next, and whether to pause; at most 30s",
			false, dur(&c.RolloutEvery, 100*time.Millisecond, 30*time.Second)},
		{limits, "UNHIDRA_CONNECTIONS_PER_ADDR", "", "200",
			"WebSockets open from one address at a time, and four times as many connections of other kinds; an IPv6 address " +
				"counts as its /64, and the /48 around it may have 16 times as many. Raise it for an office behind one address; " +
				"connections of UNHIDRA_TRUSTED_PROXIES are not counted", false, num(&c.ConnsPerAddr, 1, 1_000_000)},
		{limits, "UNHIDRA_REQUESTS_PER_ADDR", "", "256",
			"HTTP requests from one address that are processed at a time, of 1,024 in total, and as many downloads of files",
			false, num(&c.RequestsPerAddr, 1, 1_000_000)},
		{limits, "UNHIDRA_CONNECTIONS_PER_USER", "", "20", "WebSockets open for one user at a time", false,
			num(&c.ConnsPerUser, 1, 1_000_000)},
		{limits, "UNHIDRA_CONNECTION_AGE", "", "0s",
			"how old a WebSocket gets, at most: the server closes it between half of this time and all of it, and its " +
				"client reconnects at once, to any node. So the load becomes even after nodes were added. `0s`: no limit",
			false, dur(&c.ConnectionAge, 0, 365*24*time.Hour)},
		{limits, "RATE_LIMIT_DEVICE_REGISTER_PER_HOUR", "", "10", "devices that one user may register in an hour", false,
			num(&c.DevicesPerHour, 1, 1_000_000)},
		{limits, "UNHIDRA_DEVICES_PER_USER", "", "100",
			"devices of one user that can connect; those that were revoked or have expired do not count", false,
			num(&c.DevicesPerUser, 1, 1_000_000)},
		{limits, "UNHIDRA_SEND_QUEUE", "", "1048576",
			"bytes that may wait for a slow client before it is disconnected; it resumes where it was", false,
			num(&c.SendQueue, 128<<10, 1<<30)},

		{keeps, "UNHIDRA_RETENTION_DAYS", "", "0",
			"days that messages are kept in rooms without a setting of their own; 0: forever. Administrators can " +
				"change this and the next three while the server runs; see [retention](retention.md)", false,
			num(&c.Retention.Days, 0, 36500)},
		{keeps, "UNHIDRA_RETENTION_LINES", "", "0",
			"messages that such rooms keep, the newest; 0: all", false,
			num(&c.Retention.Lines, 0, 100_000_000)},
		{keeps, "UNHIDRA_RETENTION_MIN_DAYS", "", "0",
			"no room deletes messages for their age before this many days, whatever its owner sets; 0: no minimum", false,
			num(&c.Retention.MinDays, 0, 36500)},
		{keeps, "UNHIDRA_RETENTION_MAX_DAYS", "", "0",
			"no room keeps messages for more days than this, whatever its owner sets; 0: no maximum", false,
			num(&c.Retention.MaxDays, 0, 36500)},
		{keeps, "UNHIDRA_READINGS_DAYS", "", "31",
			"days that single readings of devices are kept; 0: forever. Older charts are drawn from the next three, which " +
				"must not be shorter", false,
			num(&c.Readings.Days, 0, 36500)},
		{keeps, "UNHIDRA_READINGS_MINUTES_DAYS", "", "400",
			"days that their least, greatest and mean values of each minute are kept; 0: forever", false,
			num(&c.Readings.MinutesDays, 0, 36500)},
		{keeps, "UNHIDRA_READINGS_HOURS_DAYS", "", "3650",
			"days that those of each hour are kept; 0: forever", false, num(&c.Readings.HoursDays, 0, 36500)},
		{keeps, "UNHIDRA_READINGS_DAYS_DAYS", "", "0",
			"days that those of each day are kept; 0: forever", false, num(&c.Readings.DaysDays, 0, 36500)},
		{keeps, "UNHIDRA_REMOTE_WRITE_URL", "", "",
			"where readings are forwarded to, by Prometheus remote write: `https://prometheus.example.org/api/v1/write`; empty: " +
				"nowhere. See [prometheus.md](prometheus.md)", false, receiver(&c.RemoteWrite.URL)},
		{keeps, "UNHIDRA_REMOTE_WRITE_USER", "", "", "user name for it; empty: the token is a bearer token", false,
			str(&c.RemoteWrite.User)},
		{keeps, "UNHIDRA_REMOTE_WRITE_TOKEN", "", "", "token, or password of that user; empty: none", true,
			secret(&c.RemoteWrite.Token)},
		{keeps, "UNHIDRA_DISK_RESERVE", "", "100",
			"MiB of the data folder's disk to leave free: below that, a server with SQLite accepts no new messages " +
				"(503, `disk_full`), while reading, deleting and signing in still work; 0: until the disk is full", false,
			num(&c.DiskReserve, 0, 1<<20)},

		{audits, "UNHIDRA_AUDIT_KEEP", "", "8760h",
			"how long records of the audit log are kept; they are deleted by whole days, and a signed statement of " +
				"how each day ended stays; 0: forever", false,
			dur(&c.Audit.Keep, 0, 100*8760*time.Hour)},
		{audits, "UNHIDRA_AUDIT_KEEP_PERSONAL", "", "2160h",
			"how long addresses, names and browsers in the records are kept; 0: as long as the records", false,
			dur(&c.Audit.KeepPersonal, 0, 100*8760*time.Hour)},
		{audits, "UNHIDRA_AUDIT_LOG", "", "",
			"file that the audit log is also written to, one line of JSON for each record; empty: none", false,
			str(&c.Audit.Log)},
		{audits, "UNHIDRA_AUDIT_LOG_FORMAT", "", "native",
			"format of these lines: `native`, `ecs` (Elastic), `ocsf`, `cef` (ArcSight, QRadar, Sentinel)", false,
			oneOf(&c.Audit.LogFormat, "native", "ecs", "ocsf", "cef")},
		{audits, "UNHIDRA_AUDIT_LOG_SIZE", "", "100",
			"size in MiB at which the file is rotated", false,
			num(&c.Audit.LogSize, 1, 1<<20)},
		{audits, "UNHIDRA_AUDIT_LOG_COUNT", "", "10",
			"rotated files that are kept; 0: all", false,
			num(&c.Audit.LogCount, 0, 1_000_000)},
		{audits, "UNHIDRA_AUDIT_WEBHOOK", "", "",
			"URL that records are posted to, signed: `https://siem.example.org/unhidra`; empty: none", false,
			receiver(&c.Audit.Webhook)},
		{audits, "UNHIDRA_AUDIT_WEBHOOK_SECRET", "", "", "key of these signatures, 32 bytes or more", true,
			signingKey(&c.Audit.WebhookSecret)},
		{audits, "UNHIDRA_AUDIT_WEBHOOK_FORMAT", "", "native", "`native`, `ecs`, `ocsf` or `cef`", false,
			oneOf(&c.Audit.WebhookFormat, "native", "ecs", "ocsf", "cef")},
		{audits, "UNHIDRA_AUDIT_SYSLOG", "", "",
			"syslog server that records are sent to, over TLS (RFC 5425): `siem.example.org:6514`; empty: none", false,
			syslogAddr(&c.Audit.Syslog)},
		{audits, "UNHIDRA_AUDIT_SYSLOG_FORMAT", "", "native", "`native`, `ecs`, `ocsf` or `cef`", false,
			oneOf(&c.Audit.SyslogFormat, "native", "ecs", "ocsf", "cef")},
		{audits, "UNHIDRA_AUDIT_SYSLOG_CERT", "", "",
			"PEM file of a certificate to show to the syslog server, if it asks for one", false, str(&c.Audit.SyslogCert)},
		{audits, "UNHIDRA_AUDIT_SYSLOG_KEY", "", "", "PEM file of its key", false, str(&c.Audit.SyslogKey)},
		{audits, "UNHIDRA_AUDIT_HEC", "", "", "Splunk's HTTP Event Collector: `https://splunk.example.org:8088`; empty: none",
			false, receiver(&c.Audit.HEC)},
		{audits, "UNHIDRA_AUDIT_HEC_TOKEN", "", "", "token of the collector", true, secret(&c.Audit.HECToken)},
		{audits, "UNHIDRA_AUDIT_HEC_FORMAT", "", "native", "`native`, `ecs`, `ocsf` or `cef`", false,
			oneOf(&c.Audit.HECFormat, "native", "ecs", "ocsf", "cef")},
		{audits, "UNHIDRA_AUDIT_CA", "", "",
			"PEM file of the certificate authorities to trust for these receivers; empty: the system's", false,
			str(&c.Audit.CA)},

		{backups, "UNHIDRA_BACKUP", "", "",
			"where a server with SQLite writes backups of itself: a folder of its own, which must be there, on another " +
				"disk than the data; or an S3-compatible bucket, `https://s3.example.org/bucket/prefix`. Empty: nowhere; see " +
				"[backup](operations.md#backup)", false, place(&c.Backup)},
		{backups, "UNHIDRA_BACKUP_S3_REGION", "", "us-east-1", "region of the bucket of backups", false,
			str(&c.Backup.S3.Region)},
		{backups, "UNHIDRA_BACKUP_S3_KEY", "", "",
			"id of the access key to the bucket of backups; it needs to list the bucket, and to read, write and delete " +
				"objects. Empty: that of UNHIDRA_S3_KEY, if the bucket is on the same service", false, str(&c.Backup.S3.Key)},
		{backups, "UNHIDRA_BACKUP_S3_SECRET", "", "", "secret of this access key", true, secret(&c.Backup.S3.Secret)},
		{backups, "UNHIDRA_BACKUP_EVERY", "", "24h", "how often", false,
			dur(&c.Backup.Every, time.Minute, 31*24*time.Hour)},
		{backups, "UNHIDRA_BACKUP_KEEP", "", "14",
			"how many of these backups are kept, the newest; older ones are deleted after the next good one", false,
			num(&c.Backup.Keep, 1, 100_000)},
		{backups, "UNHIDRA_BACKUP_RECIPIENT", "", "",
			"public key of [age](https://age-encryption.org) (`age1…`) that they are encrypted for; keep the secret key " +
				"elsewhere. Empty: they are not encrypted, and hold the server's key", false, str(&c.Backup.Recipient)},

		{models, "UNHIDRA_ML", "ml", "off",
			"`on`: models run in workers beside the server, which needs Python 3.11 or newer; see [models](models.md)", false,
			onOff(&c.ML.On)},
		{models, "UNHIDRA_SEARCH_MODEL", "", "",
			"file of the model by which [search understands meaning](meaning.md); empty: search finds by words alone", false,
			str(&c.SearchModel)},
		{models, "UNHIDRA_ML_MODELS", "", "", "folder of models; empty: `models` in the data folder", false, str(&c.ML.Models)},
		{models, "UNHIDRA_ML_PYTHON", "", "python3", "Python program that workers run in, such as that of a virtual environment",
			false, str(&c.ML.Python)},
		{models, "UNHIDRA_ML_SANDBOX", "", "best-effort",
			"what is taken from workers: `best-effort`, what the system allows; `required`, all " +
				"[levels](models.md#the-sandbox), " +
				"or a model does not run; `off`, nothing, for models that start programs", false,
			oneOf(&c.ML.Sandbox, "best-effort", "required", "off")},

		{models, "UNHIDRA_ASSISTANT_URL", "", "",
			"endpoint in the form of OpenAI's API that answers for [assistants](assistants.md): `https://api.example.org/v1`, " +
				"or `http://localhost:11434/v1` on this machine or in a private network; empty: a [model](models.md) beside " +
				"this server does", false,
			endpoint(&c.Assistant.URL)},
		{models, "UNHIDRA_ASSISTANT_KEY", "", "", "key that this endpoint asks for; empty: none is sent", true,
			secret(&c.Assistant.Key)},
		{models, "UNHIDRA_ASSISTANT_MODEL", "", "", "name of the model there, or of the one beside this server; empty: " +
			"there are no assistants", false, str(&c.Assistant.Model)},
		{models, "UNHIDRA_ASSISTANT_PER_HOUR", "", "30",
			"questions that one person may ask assistants in an hour; in one room there may be four times as many", false,
			num(&c.Assistant.PerHour, 1, 10_000)},

		{logs, "UNHIDRA_LOG_LEVEL", "log-level", "info", "`debug`, `info`, `warn` or `error`", false,
			oneOf(&c.Log.Level, LogLevels()...)},
		{logs, "UNHIDRA_LOG_LEVELS", "log-levels", "",
			"levels of parts of the server that differ from that: `gateway=debug, store=warn`. `unhidra log-level` lists " +
				"the parts, and changes levels while the server runs", false,
			logLevels(&c.Log.Levels)},
		{logs, "UNHIDRA_LOG_FORMAT", "log-format", "auto", "`text`, `json`, or `auto`: text on a terminal, JSON otherwise",
			false, oneOf(&c.Log.Format, "auto", "text", "json")},
		{logs, "UNHIDRA_LOG_REPEATS", "", "60",
			"how often a minute each part of the server may log the same warning or error; one line then says how many " +
				"more there were. 0: no limit", false,
			num(&c.Log.Repeats, 0, 1_000_000)},
		{logs, "UNHIDRA_OTLP_URL", "", "",
			"receiver of traces (OpenTelemetry): `http://collector:4318` or `grpc://collector:4317`, `https` or `grpcs` " +
				"for TLS; empty: nothing is traced. See docs/tracing.md", false, otlp(&c.Trace.URL)},
		{logs, "UNHIDRA_TRACE_SAMPLE", "", "0.01",
			"share of the requests that are traced, 0 to 1; those that fail or take a second are reported in any case", false,
			share(&c.Trace.Share)},
		{logs, "UNHIDRA_TRACE_BROWSER", "", "0",
			"share of the requests of web clients that are traced from the browser on, 0 to 1", false,
			share(&c.Trace.Browser)},
		{logs, "UNHIDRA_DRAIN_DELAY", "", "0s",
			"how long a shutdown waits after `/ready` starts to fail, so that load balancers stop sending requests; " +
				"longer than the interval of their checks", false,
			dur(&c.DrainDelay, 0, time.Hour)},
		{logs, "UNHIDRA_DRAIN", "", "2s",
			"time over which WebSockets are closed at shutdown, so that clients do not all reconnect at once", false,
			dur(&c.Drain, 0, time.Hour)},
		{logs, "UNHIDRA_SHUTDOWN_TIMEOUT", "", "15s",
			"time for each part of the server to finish its work at shutdown; longer than UNHIDRA_DRAIN", false,
			dur(&c.ShutdownTimeout, time.Second, time.Hour)},
	}
}
