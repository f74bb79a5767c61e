// Telling systemd that a service is ready (sd_notify(3)); nothing where nobody wants to know.
#ifndef RNULLFS_BASE_NOTIFY_H_
#define RNULLFS_BASE_NOTIFY_H_

namespace rnullfs {

// Sends "READY=1" to the socket that NOTIFY_SOCKET names, if any.  By the service's main process.
void NotifyReady();

}  // namespace rnullfs

#endif  // RNULLFS_BASE_NOTIFY_H_
