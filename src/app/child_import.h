/* Layer: app.  The process of a dataset import job: `eddy dataset-import`, not for people. */
#ifndef EDDY_APP_CHILD_IMPORT_H
#define EDDY_APP_CHILD_IMPORT_H

/* Check the CSV file or the CSV files of a folder against a schema and write them as one
 * file with the schema's columns; behind the rows of another one where --onto names it
 * (items and users: those with an id among the new ones are left out). Prints
 * {"rows":N}. Returns an exit code of app/app.h; what is wrong is said on stderr. */
int eddy_cmd_dataset_import(int argc, char **argv);

#endif
