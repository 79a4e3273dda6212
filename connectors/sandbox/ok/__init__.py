"""A stand-in of the REST API of Odnoklassniki."""
