"""What can be done with the service, one public function a use case: rows in, arrays through, rows out."""
