/* Layer: app.  The wire protocol of Amazon Personalize's control plane: JSON 1.1 over
 * `POST /`, the operation in the header X-Amz-Target. */
#ifndef EDDY_APP_AWS_H
#define EDDY_APP_AWS_H

#include "app/control.h"
#include "io/http.h"

/* A handler of io/http.h for `POST /`; context: struct eddy_control. Errors have the form
 * that SDKs read (header x-amzn-ErrorType, body {"__type","message"}), and every answer has
 * an x-amzn-RequestId. Signatures are not checked; the region of the signature's scope is
 * that of the resources, us-east-1 without one. Thread: http. */
void eddy_aws_post(void *context, const struct eddy_http_request *request,
                   struct eddy_http_response *response);

/* The region of an Authorization header: "us-east-1" where there is none that could be one.
 * Thread: any. */
void eddy_aws_region(struct eddy_span authorization, char ret[EDDY_REGION_SIZE]);

#endif
