/* Ends by SIGABRT, so that there is a core dump to keep. */
#include <stdlib.h>

int main(void) {
  abort();
}
