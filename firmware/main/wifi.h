#ifndef WIFI_H
#define WIFI_H

/* wifi_start connects to a network, and comes back to it whenever it is lost. It returns at once. */
void wifi_start(const char *ssid, const char *password);

#endif
