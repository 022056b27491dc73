/* The store in memory keeps the same contract as the one on Redis. */
#include "io/store_mem.h"
#include "store_contract.h"

static struct eddy_memory *memory;

static struct eddy_store *store_open(const char *owner)
{
    return eddy_store_mem_open(memory, "eddy", owner);
}

static void store_wipe(void)
{
    eddy_memory_free(memory);
    memory = eddy_memory_new(16);
}

int main(void)
{
    STORE_CONTRACT();
    eddy_memory_free(memory);
    return check_done();
}
