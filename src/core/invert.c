/* Inverse by Cholesky, in place, in blocks of B rows (Golub, Van Loan, 4.2 and 3.1):
 *
 *   1. A = L L', right-looking: factor a diagonal block, solve the panel below it, update
 *      all that is right of the panel;
 *   2. L becomes L^-1, row of blocks by row of blocks: X[i, j] = -X[i, i] sum over
 *      j <= k < i of L[i, k] X[k, j];
 *   3. X becomes X' X the same way: row i needs rows >= i of X alone.
 *
 * Each of the three costs N^3 / 3 operations, nearly all of them in cblas_sgemm on blocks of
 * at least B x B. LAPACK's own spotrf and spotri cut the work by
 * the number of threads, and so round differently for another number; here a block is one
 * task, computed by one thread in one way. */
#include "core/invert.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/team.h"
#include "eddy/error.h"

/* LAPACK as Fortran has it, part of Debian's libopenblas (no header of its own there). */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void strtri_(const char *uplo, const char *diag, const int *n, float *a, const int *lda,
             int *info);

enum { B = 256 };

struct work {
    float *a, *row; /* row: (B, n), a row of blocks on its way */
    uint32_t n, blocks, at;
};

static int size_of(const struct work *work, uint32_t block)
{
    uint32_t first = block * B;
    return (int)(work->n - first < B ? work->n - first : B);
}

static float *block_of(const struct work *work, uint32_t i, uint32_t j)
{
    return work->a + (size_t)i * B * work->n + (size_t)j * B;
}

static void solve_panel(void *context, uint32_t task, uint32_t worker)
{
    struct work *work = context;
    uint32_t k = work->at, i = k + 1 + task;
    (void)worker;
    cblas_strsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                size_of(work, i), size_of(work, k), 1.0f, block_of(work, k, k),
                (int)work->n, block_of(work, i, k), (int)work->n);
}

/* A[i, k+1 .. i] -= L[i, k] L[k+1 .. i, k]'; long rows first. */
static void update_row(void *context, uint32_t task, uint32_t worker)
{
    struct work *work = context;
    uint32_t k = work->at, i = work->blocks - 1 - task;
    int columns = (int)((i - k - 1) * B) + size_of(work, i);
    (void)worker;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size_of(work, i), columns,
                size_of(work, k), -1.0f, block_of(work, i, k), (int)work->n,
                block_of(work, k + 1, k), (int)work->n, 1.0f, block_of(work, i, k + 1),
                (int)work->n);
}

static int factor(struct work *work, uint32_t threads)
{
    const int stride = (int)work->n;
    for (uint32_t k = 0; k < work->blocks; k++) {
        float *diagonal = block_of(work, k, k);
        int size = size_of(work, k), info = 0;
        /* Fortran reads rows as columns: its upper triangle is our lower one */
        spotrf_("U", &size, diagonal, &stride, &info);
        if (info != 0)
            return 1;
        work->at = k;
        eddy_team_run(threads, work->blocks - 1 - k, solve_panel, work);
        eddy_team_run(threads, work->blocks - 1 - k, update_row, work);
    }
    return 0;
}

/* Diagonal blocks of L -> their inverses, zeros above the diagonal. */
static void invert_diagonal(void *context, uint32_t i, uint32_t worker)
{
    struct work *work = context;
    const int stride = (int)work->n;
    int size = size_of(work, i), info;
    float *diagonal = block_of(work, i, i);
    (void)worker;
    strtri_("U", "N", &size, diagonal, &stride, &info);
    for (int r = 0; r < size; r++)
        for (int c = r + 1; c < size; c++)
            diagonal[(size_t)r * work->n + (size_t)c] = 0.0f;
}

static void invert_block(void *context, uint32_t j, uint32_t worker)
{
    struct work *work = context;
    uint32_t i = work->at;
    const int n = (int)work->n;
    float *to = work->row + (size_t)j * B;
    (void)worker;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size_of(work, i),
                size_of(work, j), (int)((i - j) * B), -1.0f, block_of(work, i, j), n,
                block_of(work, j, j), n, 0.0f, to, n);
    cblas_strmm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit,
                size_of(work, i), size_of(work, j), 1.0f, block_of(work, i, i), n, to,
                n);
}

static void multiply_block(void *context, uint32_t j, uint32_t worker)
{
    struct work *work = context;
    uint32_t i = work->at;
    const int n = (int)work->n;
    (void)worker;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, size_of(work, i),
                size_of(work, j), n - (int)(i * B), 1.0f, block_of(work, i, i), n,
                block_of(work, i, j), n, 0.0f, work->row + (size_t)j * B, n);
}

/* The first `columns` of the row in work into row i of blocks. */
static void put_row(struct work *work, uint32_t i, uint32_t columns)
{
    for (int r = 0; r < size_of(work, i); r++)
        memcpy(work->a + ((size_t)i * B + (size_t)r) * work->n,
               work->row + (size_t)r * work->n, columns * sizeof(float));
}

static void mirror(struct work *work)
{
    enum { TILE = 32 };
    const size_t n = work->n;
    for (size_t i0 = 0; i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < i0 + TILE && i < n; i++)
                for (size_t j = j0; j < j0 + TILE && j < i; j++)
                    work->a[j * n + i] = work->a[i * n + j];
}

int eddy_invert(float *a, uint32_t n, uint32_t threads)
{
    struct work work = {.a = a, .n = n, .blocks = (n + B - 1) / B};
    if (n == 0)
        return 0;
    openblas_set_num_threads(1); /* blocks are shared out here, not inside a product */
    if (factor(&work, threads) != 0)
        return 1;
    work.row = malloc((size_t)B * n * sizeof *work.row);
    if (work.row == NULL)
        return EDDY_ENOMEM;
    eddy_team_run(threads, work.blocks, invert_diagonal, &work);
    for (uint32_t i = 1; i < work.blocks; i++) {
        work.at = i;
        eddy_team_run(threads, i, invert_block, &work);
        put_row(&work, i, i * B);
    }
    for (uint32_t i = 0; i < work.blocks; i++) {
        work.at = i;
        eddy_team_run(threads, i + 1, multiply_block, &work);
        put_row(&work, i, i * B + (uint32_t)size_of(&work, i));
    }
    mirror(&work);
    free(work.row);
    return 0;
}
