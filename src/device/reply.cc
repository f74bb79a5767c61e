#include "device/reply.h"

#include "store/io_vector.h"

namespace rnullfs {

void Reply::Send() {
  statistics->Finished(op, bytes, error);
  pending.End();
  if (waiting != nullptr) waiting->Remove(data_bytes());
  IoVector read;
  if (op == Op::kRead && data != nullptr) read.Append(data.get(), bytes);
  if (op == Op::kRead && data == nullptr) read.AppendZeros(bytes);
  done({error, bytes, read.blocks()});
}

}  // namespace rnullfs
