#include "device/reply.h"

#include "store/io_vector.h"

namespace rnullfs {

void Reply::Send() {
  const uint64_t done_bytes = error == 0 ? bytes : 0;
  statistics->Finished(op, done_bytes, error);
  pending.End();
  logged.End(error);
  if (waiting != nullptr) waiting->Remove(data_bytes());
  IoVector read;
  if (op == Op::kRead && data != nullptr) read.Append(data.get(), done_bytes);
  if (op == Op::kRead && data == nullptr) read.AppendZeros(done_bytes);
  done({error, done_bytes, read.blocks()});
}

}  // namespace rnullfs
